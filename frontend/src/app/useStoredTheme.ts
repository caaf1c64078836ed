import { useMantineColorScheme } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { meQuery } from '../api/queries';

/** The colour scheme that the user has chosen in their preferences, once it is known at each sign-in. */
export function useStoredTheme(): void {
  const stored = useQuery(meQuery).data?.theme ?? null;
  const { setColorScheme } = useMantineColorScheme();
  useEffect(() => {
    if (stored !== null) setColorScheme(stored);
  }, [stored, setColorScheme]);
}
