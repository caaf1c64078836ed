import { MantineProvider } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { useEffect, useSyncExternalStore } from 'react';
import { ADMIN_DATA } from '../api/adminQueries';
import { session, stopActingOnLeave } from '../api/client';
import { ACCOUNT_DATA } from '../api/queries';
import { language, onLanguage } from '../texts';
import { resetOnActing, resetOnSwitch } from './accountData';
import { cookieColorSchemeManager } from './colorSchemeManager';
import { queryClient } from './queryClient';
import { router } from './router';
import { cssVariables, theme } from './theme';

const colorSchemeManager = cookieColorSchemeManager();

export function App() {
  useEffect(
    () =>
      session.subscribe(() => {
        // What one user has loaded is never shown to the next.
        queryClient.removeQueries({ queryKey: ACCOUNT_DATA });
        queryClient.removeQueries({ queryKey: ADMIN_DATA });
        void router.invalidate();
      }),
    [],
  );
  useEffect(() => resetOnSwitch(queryClient), []);
  useEffect(() => resetOnActing(queryClient), []);
  useEffect(() => stopActingOnLeave(), []);
  const tag = useSyncExternalStore(onLanguage, language);
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={cssVariables}
      colorSchemeManager={colorSchemeManager}
      defaultColorScheme="auto"
    >
      <QueryClientProvider client={queryClient}>
        {/* Another language draws every page anew. */}
        <RouterProvider key={tag} router={router} />
      </QueryClientProvider>
    </MantineProvider>
  );
}
