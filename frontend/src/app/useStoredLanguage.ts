import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { meQuery } from '../api/queries';
import { languageFor, speak } from '../texts';

/** The language that the user has chosen in their preferences, else the browser's, once it is known. */
export function useStoredLanguage(): void {
  const me = useQuery(meQuery).data;
  const stored = me?.language ?? null;
  useEffect(() => {
    if (me !== undefined) speak(languageFor([stored, ...navigator.languages]));
  }, [me, stored]);
}
