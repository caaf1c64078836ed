import { useNavigate } from '@tanstack/react-router';
import { useCallback } from 'react';
import { acting } from '../api/acting';
import { session } from '../api/client';
import { ending } from '../api/ending';
import { signedOut } from '../api/signedOut';
import type { SignInAnswer } from '../api/types';
import { challenge } from './challenge';
import { placeOf } from './place';

/** What follows a sign-in: the page that was wanted, or first the one that asks for the second factor. */
export function useEnter(next: string | null = null): (answer: SignInAnswer) => void {
  const navigate = useNavigate();
  return useCallback(
    (answer) => {
      if (!('access_token' in answer)) {
        challenge.hold(answer.challenge_id, next);
        void navigate({ to: '/mfa', replace: true });
        return;
      }
      challenge.drop();
      // It may be another user, whose accounts are others.
      acting.forget();
      ending.note(null);
      signedOut.clear();
      session.signIn(answer.access_token);
      void navigate({ ...placeOf(next), replace: true });
    },
    [navigate, next],
  );
}
