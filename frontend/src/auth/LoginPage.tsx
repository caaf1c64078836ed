import { Loader } from '@mantine/core';
import { useEffect } from 'react';
import { api } from '../api/client';
import { answerOf } from '../api/problem';
import type { SignInAnswer } from '../api/types';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { PageHeading } from '../ui/PageHeading';
import { LoginForm } from './LoginForm';
import { useEnter } from './useEnter';
import { useOneTimeToken } from './useOneTimeToken';

function redeem(token: string): Promise<SignInAnswer> {
  return answerOf(api.POST('/v1/auth/sign-in-link', { body: { token } }));
}

/** Sign-in by password, or by the one-time link that brought the reader here. */
export function LoginPage({ token }: { readonly token: string | undefined }) {
  const link = useOneTimeToken('sign-in-link', token, redeem);
  const enter = useEnter();
  const answer = link.data;

  useEffect(() => {
    if (answer !== undefined) enter(answer);
  }, [answer, enter]);

  const working = token !== undefined && !link.isError;
  return (
    <>
      <PageHeading>{texts.login.heading}</PageHeading>
      {working ? (
        <p role="status">
          <Loader size="xs" mr={8} />
          {texts.login.link}
        </p>
      ) : (
        <>
          {link.isError && <ErrorNotice error={link.error} title={texts.login.linkFailed} still={texts.login.linkNext} />}
          <LoginForm />
        </>
      )}
    </>
  );
}
