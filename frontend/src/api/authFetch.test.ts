import { describe, expect, it, vi } from 'vitest';
import { Acting } from './acting';
import { createAuthFetch } from './authFetch';
import { Impersonating } from './impersonating';
import { Session } from './session';

const origin = 'http://app.test';

/** A server that knows one token at a time and keeps what it was sent. */
function server(valid: { token: string }, refuseWith = 401) {
  const seen: { path: string; authorization: string | null; client: string | null; body: string }[] = [];
  const send = async (request: Request): Promise<Response> => {
    const authorization = request.headers.get('Authorization');
    const path = new URL(request.url).pathname;
    seen.push({ path, authorization, client: request.headers.get('X-Feature-Client'), body: await request.text() });
    return new Response(null, { status: authorization === `Bearer ${valid.token}` ? 200 : refuseWith });
  };
  return { seen, send };
}

function post(path: string): Request {
  return new Request(origin + path, { method: 'POST', body: '{"amount":1}' });
}

describe('createAuthFetch', () => {
  it('renews once for many requests that were refused together, and sends each again with its body', async () => {
    const valid = { token: 'new' };
    const renew = vi.fn(() => Promise.resolve('new'));
    const session = new Session(renew);
    session.signIn('old');
    const { seen, send } = server(valid);
    const authFetch = createAuthFetch(session, new Acting(null), new Impersonating(), send);
    const answers = await Promise.all(Array.from({ length: 8 }, () => authFetch(post('/v1/usage/consume'))));
    expect(answers.map((answer) => answer.status)).toEqual(Array(8).fill(200));
    expect(renew).toHaveBeenCalledTimes(1);
    expect(seen).toHaveLength(16);
    expect(new Set(seen.map((request) => request.body))).toEqual(new Set(['{"amount":1}']));
  });

  it('uses a token that came meanwhile instead of renewing again', async () => {
    const renew = vi.fn(() => Promise.resolve('newer'));
    const session = new Session(renew);
    session.signIn('old');
    const { send } = server({ token: 'new' });
    const authFetch = createAuthFetch(session, new Acting(null), new Impersonating(), (request) => {
      if (session.token === 'old') session.signIn('new');
      return send(request);
    });
    expect((await authFetch(post('/v1/usage/consume'))).status).toBe(200);
    expect(renew).not.toHaveBeenCalled();
  });

  it.each([402, 403, 404, 429, 503])('leaves the session alone on %i', async (status) => {
    const renew = vi.fn(() => Promise.resolve(null));
    const session = new Session(renew);
    session.signIn('old');
    const { send } = server({ token: 'none' }, status);
    expect((await createAuthFetch(session, new Acting(null), new Impersonating(), send)(post('/v1/usage/consume'))).status).toBe(status);
    expect(renew).not.toHaveBeenCalled();
    expect(session.status).toBe('signed-in');
  });

  it('gives the 401 back when the renewal is refused, and ends the session', async () => {
    const session = new Session(() => Promise.resolve(null));
    session.signIn('old');
    const { seen, send } = server({ token: 'none' });
    expect((await createAuthFetch(session, new Acting(null), new Impersonating(), send)(post('/v1/usage/consume'))).status).toBe(401);
    expect(seen).toHaveLength(1);
    expect(session.status).toBe('signed-out');
  });

  it.each([
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
  ])('sends no token and no renewal to %s, which has a credential of its own', async (name) => {
    const renew = vi.fn(() => Promise.resolve('new'));
    const session = new Session(renew);
    session.signIn('old');
    const { seen, send } = server({ token: 'none' });
    await createAuthFetch(session, new Acting(null), new Impersonating(), send)(post(`/v1/auth/${name}`));
    expect(seen).toEqual([{ path: `/v1/auth/${name}`, authorization: null, client: 'web', body: '{"amount":1}' }]);
    expect(renew).not.toHaveBeenCalled();
  });

  it('names itself as the web client on /v1/auth only', async () => {
    const session = new Session(() => Promise.resolve(null));
    session.signIn('t');
    const { seen, send } = server({ token: 't' });
    const authFetch = createAuthFetch(session, new Acting(null), new Impersonating(), send);
    await authFetch(post('/v1/auth/logout'));
    await authFetch(post('/v1/usage/consume'));
    expect(seen.map((request) => request.client)).toEqual(['web', null]);
  });
});
