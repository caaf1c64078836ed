import { useSyncExternalStore } from 'react';
import { session } from '../api/client';

const subscribe = (listener: () => void): (() => void) => session.subscribe(listener);

/** Whether somebody is signed in, also when that changes while a page is open. */
export function useSignedIn(): boolean {
  return useSyncExternalStore(subscribe, () => session.status === 'signed-in');
}
