import { useSyncExternalStore } from 'react';

function subscribe(listener: () => void): () => void {
  const types = ['online', 'offline'] as const;
  types.forEach((type) => window.addEventListener(type, listener));
  return () => types.forEach((type) => window.removeEventListener(type, listener));
}

/** Whether this machine has a network, as far as the browser knows. */
export function useOnline(): boolean {
  return useSyncExternalStore(subscribe, () => navigator.onLine);
}
