import createClient from 'openapi-fetch';
import { acting } from './acting';
import { createAuthFetch } from './authFetch';
import { answerOf, ApiError } from './problem';
import type { paths } from './schema';
import { Session } from './session';

const baseUrl = import.meta.env.VITE_API_BASE_URL || window.location.origin;

/** The cookie of the session goes along also when the API has an origin of its own. */
const credentials = 'include';

/** The session's end has been said by the server; anything else (busy, failing, unreachable) says nothing about it. */
const SESSION_OVER = new Set([400, 401, 403, 422]);

async function renew(): Promise<string | null> {
  try {
    const pair = await answerOf(api.POST('/v1/auth/refresh', { body: {} }));
    return pair.access_token;
  } catch (error) {
    if (error instanceof ApiError && SESSION_OVER.has(error.status)) return null;
    throw error;
  }
}

export const session: Session = new Session(renew);

session.subscribe(() => {
  if (session.status === 'signed-out') acting.forget();
});

/** The API, typed from its OpenAPI document, called as the signed-in user. */
export const api = createClient<paths>({
  baseUrl,
  credentials,
  fetch: createAuthFetch(session, acting, (request) => fetch(request)),
});
