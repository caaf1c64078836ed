import { useQuery, type UseQueryResult } from '@tanstack/react-query';

/**
 * Hands in a one-time token from a link, exactly once for each token however often the page is drawn: the second
 * try would be refused and hide that the first one worked.
 */
export function useOneTimeToken<T>(
  purpose: 'verify-email' | 'sign-in-link' | 'portal-link',
  token: string | undefined,
  handIn: (token: string) => Promise<T>,
): UseQueryResult<T> {
  return useQuery({
    queryKey: ['one-time', purpose, token],
    queryFn: () => handIn(token ?? ''),
    enabled: token !== undefined,
    retry: false,
    staleTime: Infinity,
    gcTime: Infinity,
    refetchOnMount: false,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
    retryOnMount: false,
  });
}
