import type { Session } from './session';

type Send = (request: Request) => Promise<Response>;

const AUTH = '/v1/auth/';

/** Routes that take a credential of their own. A bearer token has no business there, nor has a renewal. */
const OWN_CREDENTIAL = new Set(
  ['register', 'login', 'refresh', 'sign-in-link', 'verify-email', 'resend-verification'].map((name) => AUTH + name),
);

function prepared(request: Request, token: string | null): Request {
  const headers = new Headers(request.headers);
  // Asks for the refresh token as an httpOnly cookie instead of in the body.
  if (new URL(request.url).pathname.startsWith(AUTH)) headers.set('X-Feature-Client', 'web');
  if (token !== null) headers.set('Authorization', `Bearer ${token}`);
  return new Request(request, { headers });
}

/**
 * Sends requests as the signed-in user. An answer 401 to our token leads to one renewal, shared by all requests
 * that need it, and one more try; 402 and 403 are answers like any other and touch no session.
 */
export function createAuthFetch(session: Session, send: Send): Send {
  return async (request) => {
    const token = OWN_CREDENTIAL.has(new URL(request.url).pathname) ? null : session.token;
    const again = request.clone();
    const response = await send(prepared(request, token));
    if (response.status !== 401 || token === null) return response;
    // Another request may have renewed it meanwhile; then its token is the one to use.
    const renewed = session.token === token ? await session.renew() : session.token;
    return renewed === null ? response : send(prepared(again, renewed));
  };
}
