import { useEffect } from 'react';

/** What was just done is said until the reader goes on: types, chooses or presses something. */
export function useSaidUntilNext(said: boolean, forget: () => void): void {
  useEffect(() => {
    if (!said) return undefined;
    const types = ['input', 'click'] as const;
    // Before the page itself hears of it: what is done next says its own.
    types.forEach((type) => document.addEventListener(type, forget, true));
    return () => types.forEach((type) => document.removeEventListener(type, forget, true));
  }, [said, forget]);
}
