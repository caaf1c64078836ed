import { Loader } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { useEffect } from 'react';
import { api, session } from '../api/client';
import { answerOf } from '../api/problem';
import { texts } from '../texts/en';
import { ErrorNotice } from '../ui/ErrorNotice';
import { PageHeading } from '../ui/PageHeading';
import { LoginForm } from './LoginForm';
import { useOneTimeToken } from './useOneTimeToken';

async function redeem(token: string): Promise<string> {
  const pair = await answerOf(api.POST('/v1/auth/sign-in-link', { body: { token } }));
  return pair.access_token;
}

/** Sign-in by password, or by the one-time link that brought the reader here. */
export function LoginPage({ token }: { readonly token: string | undefined }) {
  const link = useOneTimeToken('sign-in-link', token, redeem);
  const navigate = useNavigate();
  const accessToken = link.data;

  useEffect(() => {
    if (accessToken === undefined) return;
    session.signIn(accessToken);
    void navigate({ to: '/app', replace: true });
  }, [accessToken, navigate]);

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
