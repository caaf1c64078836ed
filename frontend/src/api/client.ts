import createClient from 'openapi-fetch';
import { acting } from './acting';
import { createAuthFetch } from './authFetch';
import { ending } from './ending';
import { Impersonating } from './impersonating';
import { answerOf, ApiError } from './problem';
import type { paths } from './schema';
import { Session } from './session';
import { signedOut } from './signedOut';

const baseUrl = import.meta.env.VITE_API_BASE_URL || window.location.origin;

/** The cookie of the session goes along also when the API has an origin of its own. */
const credentials = 'include';

/** The session's end has been said by the server; anything else (busy, failing, unreachable) says nothing about it. */
const SESSION_OVER = new Set([400, 401, 403, 422]);

/** For how long a sign-out waits for its confirmation. */
const PATIENCE_MS = 5_000;

async function renewed(): Promise<string | null> {
  try {
    const pair = await answerOf(api.POST('/v1/auth/refresh', { body: {} }));
    return pair.access_token;
  } catch (error) {
    if (!(error instanceof ApiError && SESSION_OVER.has(error.status))) throw error;
    // Without a cookie there was no session, as far as this browser knows; with one, it has ended.
    if (session.status === 'signed-in' || error.problem?.reason !== 'none_sent') ending.note('over');
    return null;
  }
}

async function renew(): Promise<string | null> {
  if (!signedOut.isUnconfirmed) return renewed();
  await confirmSignOut(null).catch(() => undefined);
  ending.note('left');
  return null;
}

/** Ends the session on the server; whether the token was still good for that. Rejects when it is not confirmed. */
async function end(token: string): Promise<boolean> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    await answerOf(plain.POST('/v1/auth/logout', { headers: { Authorization: `Bearer ${token}` }, signal }));
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) throw error;
    return false;
  }
  return true;
}

async function confirmSignOut(token: string | null): Promise<void> {
  // A token that is too old says nothing about the session: a new one for its last request.
  if (token === null || !(await end(token))) {
    const fresh = await renewed();
    if (fresh !== null) await end(fresh);
  }
  signedOut.clear();
}

/** Begins to act as a user, by the session that the server has made for that. */
export function actAs(userId: string, token: string): void {
  acting.forget();
  impersonating.begin({ userId, token });
}

/** Acts as oneself again. A server that does not hear of it ends the session by itself, soon. */
export async function stopActing(): Promise<void> {
  const held = impersonating.held;
  if (held === null) return;
  await end(held.token).catch(() => undefined);
  acting.forget();
  impersonating.end(held.token, 'left');
}

/** Ends it where the page goes away, for nothing else holds it: what is sent then outlives the page. */
export function stopActingOnLeave(): () => void {
  function leave() {
    const held = impersonating.held;
    if (held === null) return;
    const headers = { Authorization: `Bearer ${held.token}` };
    plain.POST('/v1/auth/logout', { headers, keepalive: true }).catch(() => undefined);
  }
  window.addEventListener('pagehide', leave);
  return () => window.removeEventListener('pagehide', leave);
}

/**
 * Signs out, whatever the server answers. One that does not confirm it is told again as soon as this app meets it;
 * until then no tab of this browser signs in by the old session.
 */
export async function signOut(): Promise<void> {
  signedOut.mark();
  const held = impersonating.held;
  if (held !== null) await end(held.token).catch(() => undefined);
  await confirmSignOut(session.token).catch(() => undefined);
  ending.note('left');
  session.signOut();
}

export const session: Session = new Session(renew);

/** As whom an operator acts in this tab. */
export const impersonating = new Impersonating();

session.subscribe(() => {
  if (session.status === 'signed-out') acting.forget();
  // Somebody else has signed in, or nobody is: what acted before was another's.
  if (impersonating.held !== null) impersonating.end(impersonating.held.token, 'left');
});

/** The API, typed from its OpenAPI document, called as the signed-in user. */
export const api = createClient<paths>({
  baseUrl,
  credentials,
  fetch: createAuthFetch(session, acting, impersonating, (request) => fetch(request)),
});

/** The same without a sign-in of its own: renewals are nothing that a sign-out may wait for. */
const plain = createClient<paths>({
  baseUrl,
  credentials,
  headers: { 'X-Feature-Client': 'web' },
  fetch: (request) => fetch(request),
});
