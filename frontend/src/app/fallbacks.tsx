import { Anchor, Button } from '@mantine/core';
import { Link, useLocation, useRouter } from '@tanstack/react-router';
import { useEffect } from 'react';
import { session } from '../api/client';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { PageHeading } from '../ui/PageHeading';
import { Frame } from './Frame';
import { useSignedIn } from './useSignedIn';

export function NotFoundPage() {
  const path = useLocation({ select: (location) => location.pathname });
  const signedIn = useSignedIn();
  useEffect(() => {
    // No page has asked yet; without an answer the way to sign-in finds it out.
    session.restore().catch(() => undefined);
  }, []);
  return (
    <Frame narrow>
      <PageHeading>{texts.notFound.heading}</PageHeading>
      <p>{texts.notFound.detail(path)}</p>
      <Anchor component={Link} to="/">
        {signedIn ? texts.actions.goToOverview : texts.actions.goToSignIn}
      </Anchor>
    </Frame>
  );
}

/** Shown in place of a page whose session could not be asked for, or which failed altogether. */
export function RouteError({ error }: { readonly error: unknown }) {
  const router = useRouter();
  const sessionUnknown = session.status === 'unknown';
  return (
    <Frame narrow>
      <PageHeading>{sessionUnknown ? texts.errors.session : texts.errors.page}</PageHeading>
      <ErrorNotice error={error} still={sessionUnknown ? texts.errors.sessionDetail : undefined} />
      <Button size="md" onClick={() => void router.invalidate()}>{texts.actions.retry}</Button>
    </Frame>
  );
}
