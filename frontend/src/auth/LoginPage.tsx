import { Loader } from '@mantine/core';
import { useEffect } from 'react';
import { api } from '../api/client';
import { ending } from '../api/ending';
import { answerOf } from '../api/problem';
import { signedOut } from '../api/signedOut';
import type { SignInAnswer } from '../api/types';
import { texts } from '../texts';
import { Notice } from '../ui/Notice';
import { PageHeading } from '../ui/PageHeading';
import { LinkRefused } from './LinkRefused';
import { LoginForm } from './LoginForm';
import { useEnter } from './useEnter';
import { useOneTimeToken } from './useOneTimeToken';

function redeem(token: string): Promise<SignInAnswer> {
  return answerOf(api.POST('/v1/auth/sign-in-link', { body: { token } }));
}

interface LoginPageProps {
  readonly token: string | undefined;
  /** The page that was asked for when nobody was signed in. */
  readonly next: string | null;
}

/** Sign-in by password, or by the one-time link that brought the reader here. */
export function LoginPage({ token, next }: LoginPageProps) {
  const link = useOneTimeToken('sign-in-link', token, redeem);
  const enter = useEnter(next);
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
          {link.isError ? (
            <LinkRefused error={link.error} title={texts.login.linkFailed} next={texts.login.linkNext} />
          ) : (
            <WhyHere />
          )}
          <LoginForm next={next} />
        </>
      )}
    </>
  );
}

/** What ended the session before, where the reader did not end it themselves. */
function WhyHere() {
  if (signedOut.isUnconfirmed) {
    return (
      <Notice tone="near" title={texts.login.left}>
        <p>{texts.login.leftUnconfirmed}</p>
      </Notice>
    );
  }
  if (ending.known !== 'over') return null;
  return (
    <Notice tone="near" title={texts.login.over}>
      <p>{texts.login.overDetail}</p>
    </Notice>
  );
}
