import { useRouter } from '@tanstack/react-router';

const PLANS = '/app/plans';

/**
 * Where a refusal's upgrade address leads: an address of this app is the page of the plans. Null when following it
 * would lead nowhere: it is no web address, or the page that is open.
 */
export function useUpgradeLink(address: string | null): string | null {
  const router = useRouter();
  if (address === null || !URL.canParse(address, window.location.origin)) return null;
  const url = new URL(address, window.location.origin);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return null;
  if (url.origin !== window.location.origin) return url.href;
  return router.state.location.pathname === PLANS ? null : PLANS;
}
