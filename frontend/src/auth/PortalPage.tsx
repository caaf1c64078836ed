import { Loader } from '@mantine/core';
import { useEffect } from 'react';
import { api } from '../api/client';
import { answerOf, ApiError } from '../api/problem';
import type { SignInAnswer } from '../api/types';
import { texts } from '../texts';
import { PageHeading } from '../ui/PageHeading';
import { LinkRefused } from './LinkRefused';
import { useEnter } from './useEnter';
import { useOneTimeToken } from './useOneTimeToken';

function redeem(token: string): Promise<SignInAnswer> {
  return answerOf(api.POST('/v1/auth/portal-link', { body: { token } }));
}

/** Where a host application sends its customers: a link that opens the rooms of one account. */
export function PortalPage({ token }: { readonly token: string }) {
  const link = useOneTimeToken('portal-link', token, redeem);
  const enter = useEnter();
  const answer = link.data;

  useEffect(() => {
    if (answer !== undefined) enter(answer);
  }, [answer, enter]);

  // A refusal stays one; without an answer the link may still be good, and there is no other way in.
  const refused = link.error instanceof ApiError && link.error.status < 500;
  return (
    <>
      <PageHeading>{texts.portal.heading}</PageHeading>
      {link.isError && !link.isFetching ? (
        <LinkRefused
          error={link.error}
          title={texts.portal.failed}
          next={texts.portal.next}
          onRetry={refused ? undefined : () => void link.refetch()}
        />
      ) : (
        <p role="status">
          <Loader size="xs" mr={8} />
          {texts.portal.working}
        </p>
      )}
    </>
  );
}
