import type { QueryClient } from '@tanstack/react-query';
import { acting } from '../api/acting';
import { impersonating, session } from '../api/client';
import { ACCOUNT_DATA } from '../api/queries';

/** What was loaded for one account is never shown for another: it is dropped and loaded anew. Returns the way to stop. */
export function resetOnSwitch(queryClient: QueryClient): () => void {
  let shown = acting.account;
  return acting.subscribe(() => {
    if (acting.account === shown) return;
    shown = acting.account;
    // At a sign-out there is nothing to load any more.
    if (session.status === 'signed-in') void queryClient.resetQueries({ queryKey: ACCOUNT_DATA });
  });
}

/** The same where an operator begins to act as a user, or acts as themselves again. */
export function resetOnActing(queryClient: QueryClient): () => void {
  let held = impersonating.held;
  return impersonating.subscribe(() => {
    if (impersonating.held === held) return;
    held = impersonating.held;
    if (session.status === 'signed-in') void queryClient.resetQueries({ queryKey: ACCOUNT_DATA });
  });
}
