import { createRootRoute, redirect } from '@tanstack/react-router';
import { session } from '../api/client';
import { ending } from '../api/ending';
import { NotFoundPage } from './fallbacks';

export const rootRoute = createRootRoute({ notFoundComponent: NotFoundPage });

/** For rooms of who is signed in: all others sign in first, and come back to the page that they asked for. */
export async function signedInOnly({ location }: { readonly location: { readonly href: string } }): Promise<void> {
  if ((await session.restore()) === 'signed-in') return;
  // Who has left goes to sign-in for good: the next reader may be somebody else.
  const next = ending.known === 'left' || location.href === '/app' ? undefined : location.href;
  throw redirect({ to: '/login', search: next === undefined ? {} : { next }, replace: true });
}
