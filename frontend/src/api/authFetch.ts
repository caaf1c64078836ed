import type { Acting } from './acting';
import type { Impersonating } from './impersonating';
import { readProblem } from './problem';
import type { Session } from './session';

type Send = (request: Request) => Promise<Response>;

const AUTH = '/v1/auth/';
const ADMIN = '/v1/admin/';

const ACCOUNT = 'Feature-Account';

/** Routes that take a credential of their own. A bearer token has no business there, nor has a renewal. */
const OWN_CREDENTIAL = new Set(
  [
    'register',
    'login',
    'refresh',
    'sign-in-link',
    'portal-link',
    'verify-email',
    'resend-verification',
    'forgot-password',
    'reset-password',
    '2fa/verify',
    'recovery-login',
  ].map((name) => AUTH + name),
);

/** Only these mean the same for another account: whatever acts was meant for the one that it named. */
const READS = new Set(['GET', 'HEAD']);

/** Routes about the user, whichever account they act for. */
const OF_THE_USER = ['logout', 'sessions', '2fa', 'change-password'].map((name) => AUTH + name);

function pathOf(request: Request): string {
  return new URL(request.url).pathname;
}

function isOfTheUser(path: string): boolean {
  return OF_THE_USER.some((route) => path === route || path.startsWith(`${route}/`));
}

function prepared(request: Request, token: string | null): Request {
  const headers = new Headers(request.headers);
  // Asks for the refresh token as an httpOnly cookie instead of in the body.
  if (pathOf(request).startsWith(AUTH)) headers.set('X-Feature-Client', 'web');
  if (token !== null) headers.set('Authorization', `Bearer ${token}`);
  return new Request(request, { headers });
}

function named(request: Request, account: string | null): Request {
  if (account === null) return request;
  const headers = new Headers(request.headers);
  headers.set(ACCOUNT, account);
  return new Request(request, { headers });
}

async function isAccountUnknown(response: Response): Promise<boolean> {
  if (response.status !== 404) return false;
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => null);
  return readProblem(body, response.status)?.code === 'account_unknown';
}

/**
 * Names the chosen account. When the server knows it no more (the user was taken out of it, or somebody else has
 * signed in), the choice is given up; a request that reads goes out once more without it.
 */
function forAccount(acting: Acting, send: Send): Send {
  return async (request) => {
    const path = pathOf(request);
    const account = OWN_CREDENTIAL.has(path) || isOfTheUser(path) ? null : acting.account;
    if (account === null) return send(request);
    const again = request.clone();
    const response = await send(named(request, account));
    if (!(await isAccountUnknown(response))) return response;
    acting.lose(account);
    return READS.has(request.method) ? send(named(again, acting.account)) : response;
  };
}

/**
 * Sends requests as the signed-in user, for the account they have chosen. An answer 401 to our token leads to one
 * renewal, shared by all requests that need it, and one more try; 402 and 403 are answers like any other and touch
 * no session.
 *
 * While an operator acts as a user, requests are that user's, but for those of the back office.
 */
export function createAuthFetch(session: Session, acting: Acting, impersonating: Impersonating, send: Send): Send {
  const sendFor = forAccount(acting, send);
  return async (request) => {
    const path = pathOf(request);
    const held = OWN_CREDENTIAL.has(path) || path.startsWith(ADMIN) ? null : impersonating.held;
    if (held !== null) {
      const answer = await sendFor(prepared(request, held.token));
      // It cannot be renewed, and what was asked as somebody else is not asked as oneself.
      if (answer.status === 401) impersonating.end(held.token, 'over');
      return answer;
    }
    const token = OWN_CREDENTIAL.has(path) ? null : session.token;
    const again = request.clone();
    const response = await sendFor(prepared(request, token));
    if (response.status !== 401 || token === null) return response;
    // Another request may have renewed it meanwhile; then its token is the one to use.
    const renewed = session.token === token ? await session.renew() : session.token;
    return renewed === null ? response : sendFor(prepared(again, renewed));
  };
}
