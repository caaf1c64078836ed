/** Says that the reader has signed out and that the server has not confirmed it; it holds no secret. */
const COOKIE = 'feature-signed-out';

/** Longer than any session. */
const ONE_YEAR_S = 365 * 24 * 3600;

function write(maxAge: number): void {
  const secure = window.location.protocol === 'https:' ? '; Secure' : '';
  document.cookie = `${COOKIE}=1; Path=/; Max-Age=${maxAge}; SameSite=Strict${secure}`;
}

/**
 * A sign-out always holds in this browser. The cookie of the session is out of reach for scripts, so until the
 * server has taken it away, this mark keeps every tab from signing in by it.
 */
export const signedOut = {
  get isUnconfirmed(): boolean {
    return document.cookie.split('; ').some((part) => part.startsWith(`${COOKIE}=`));
  },
  mark(): void {
    write(ONE_YEAR_S);
  },
  clear(): void {
    if (signedOut.isUnconfirmed) write(0);
  },
};
