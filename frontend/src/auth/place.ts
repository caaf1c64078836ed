/** Where the rooms of who is signed in are: the customers', and the operators'. */
const ROOMS = /^\/(?:app|admin)(?:[/?]|$)/;

/** A page of this app, as the router takes it. */
export interface Place {
  readonly to: '/app';
  readonly search: Record<string, string>;
}

const START: Place = { to: '/app', search: {} };

/**
 * Where to go after the sign-in: the page that was asked for. Only a path of this app counts, so that nobody is sent
 * elsewhere by an address that somebody else wrote.
 */
export function placeOf(next: string | null | undefined): Place {
  if (!isOwnPath(next)) return START;
  const url = new URL(next, window.location.origin);
  // The router's own type knows its paths one by one; an unknown one ends at its page for that.
  return { to: url.pathname as '/app', search: Object.fromEntries(url.searchParams) };
}

/** Browsers read "//", "/\\" and what has control characters in between as the name of another host. */
export function isOwnPath(next: unknown): next is string {
  if (typeof next !== 'string' || !ROOMS.test(next)) return false;
  return URL.canParse(next, window.location.origin) && ROOMS.test(new URL(next, window.location.origin).pathname);
}
