import { QueryClient } from '@tanstack/react-query';
import { ApiError } from '../api/problem';

/** Only what may pass by itself is tried again: no answer, and failures of the server. A refusal stays one. */
function mayPass(failures: number, error: Error): boolean {
  return failures < 2 && !(error instanceof ApiError && error.status < 500);
}

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: { retry: mayPass, networkMode: 'always', refetchOnReconnect: true, throwOnError: false },
    mutations: { retry: false, networkMode: 'always' },
  },
});
