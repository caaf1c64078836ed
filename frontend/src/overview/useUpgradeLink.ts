import { useRouter } from '@tanstack/react-router';

/**
 * Where a refusal's upgrade address leads, or null when following it would lead nowhere: it is no web address, or
 * it names a page of this app that this version does not have, or the page that is open.
 */
export function useUpgradeLink(address: string | null): string | null {
  const router = useRouter();
  if (address === null || !URL.canParse(address, window.location.origin)) return null;
  const url = new URL(address, window.location.origin);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return null;
  if (url.origin !== window.location.origin) return url.href;
  if (!(url.pathname in router.routesByPath) || url.pathname === window.location.pathname) return null;
  return url.href;
}
