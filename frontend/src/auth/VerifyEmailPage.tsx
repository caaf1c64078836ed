import { Button, Loader } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { api } from '../api/client';
import { answerOf } from '../api/problem';
import { texts } from '../texts';
import { Notice } from '../ui/Notice';
import { PageHeading } from '../ui/PageHeading';
import { LinkRefused } from './LinkRefused';
import { ResendForm } from './ResendForm';
import { useOneTimeToken } from './useOneTimeToken';

async function confirm(token: string): Promise<true> {
  await answerOf(api.POST('/v1/auth/verify-email', { body: { token } }));
  return true;
}

export function VerifyEmailPage({ token }: { readonly token: string | undefined }) {
  const confirmation = useOneTimeToken('verify-email', token, confirm);
  return (
    <>
      <PageHeading>{texts.verify.heading}</PageHeading>
      {token !== undefined && confirmation.isPending && (
        <p role="status">
          <Loader size="xs" mr={8} />
          {texts.verify.working}
        </p>
      )}
      {confirmation.isSuccess && (
        <>
          <Notice tone="good" title={texts.verify.done} />
          <Button component={Link} to="/login" size="md">
            {texts.verify.signIn}
          </Button>
        </>
      )}
      {confirmation.isError && (
        <LinkRefused error={confirmation.error} title={texts.verify.failed} next={texts.verify.failedNext} />
      )}
      {(token === undefined || confirmation.isError) && <ResendForm />}
    </>
  );
}
