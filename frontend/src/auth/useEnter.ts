import { useNavigate } from '@tanstack/react-router';
import { useCallback } from 'react';
import { acting } from '../api/acting';
import { session } from '../api/client';
import type { SignInAnswer } from '../api/types';
import { challenge } from './challenge';

/** What follows a sign-in: the app, or first the page that asks for the second factor. */
export function useEnter(): (answer: SignInAnswer) => void {
  const navigate = useNavigate();
  return useCallback(
    (answer) => {
      if (!('access_token' in answer)) {
        challenge.hold(answer.challenge_id);
        void navigate({ to: '/mfa', replace: true });
        return;
      }
      challenge.drop();
      // It may be another user, whose accounts are others.
      acting.forget();
      session.signIn(answer.access_token);
      void navigate({ to: '/app', replace: true });
    },
    [navigate],
  );
}
