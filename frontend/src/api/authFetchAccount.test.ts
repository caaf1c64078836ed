import { describe, expect, it, vi } from 'vitest';
import { Acting } from './acting';
import { createAuthFetch } from './authFetch';
import { Impersonating } from './impersonating';
import { Session } from './session';

const ACME = '0199f0aa-0000-7000-8000-00000000000a';
const BETA = '0199f0aa-0000-7000-8000-00000000000b';

function problem(status: number, code: string): Response {
  return new Response(JSON.stringify({ title: 'T', code, detail: 'D' }), { status });
}

/** Somebody signed in who acts for Acme; `answer` is what the server says to an account, null being none. */
function start(answer: (account: string | null) => Response) {
  const session = new Session(() => Promise.resolve('new'));
  session.signIn('old');
  const acting = new Acting(null);
  acting.choose(ACME);
  const seen: { account: string | null; authorization: string | null; body: string }[] = [];
  const authFetch = createAuthFetch(session, acting, new Impersonating(), async (request) => {
    const account = request.headers.get('Feature-Account');
    seen.push({ account, authorization: request.headers.get('Authorization'), body: await request.text() });
    return answer(account);
  });
  const post = (path: string) => authFetch(new Request(`http://app.test${path}`, { method: 'POST', body: '{"a":1}' }));
  const get = (path: string) => authFetch(new Request(`http://app.test${path}`));
  return { acting, seen, post, get };
}

const fine = () => new Response(null, { status: 200 });

describe('createAuthFetch for a chosen account', () => {
  it.each(['/v1/auth/me', '/v1/subscription/usage', '/v1/usage/consume'])('names it to %s', async (path) => {
    const { seen, post } = start(fine);
    await post(path);
    expect(seen[0]?.account).toBe(ACME);
  });

  it.each([
    'login',
    'refresh',
    'sign-in-link',
    'portal-link',
    'reset-password',
    'logout',
    'sessions',
    'sessions/0199f0aa-0000-7000-8000-0000000000aa',
    '2fa/verify',
    '2fa/enable-init',
    '2fa/enable-complete',
    '2fa/disable',
    'change-password',
  ])('does not name it to %s, which is about the user', async (name) => {
    const { seen, post } = start(fine);
    await post(`/v1/auth/${name}`);
    expect(seen).toHaveLength(1);
    expect(seen[0]?.account).toBeNull();
  });

  it('names none while none is chosen', async () => {
    const { acting, seen, post } = start(fine);
    acting.forget();
    await post('/v1/auth/me');
    expect(seen[0]?.account).toBeNull();
  });

  it('gives up an account the server does not know, and reads once more without it', async () => {
    const { acting, seen, get } = start((account) => (account === null ? fine() : problem(404, 'account_unknown')));
    expect((await get('/v1/auth/me')).status).toBe(200);
    expect(seen.map(({ account }) => account)).toEqual([ACME, null]);
    expect(seen[1]).toMatchObject({ authorization: 'Bearer old' });
    expect(acting.account).toBeNull();
    expect(acting.lost).toBe(ACME);
  });

  it('never repeats for another account what was to be done for the one that is gone', async () => {
    const { acting, seen, post } = start((account) => (account === null ? fine() : problem(404, 'account_unknown')));
    const answer = await post('/v1/usage/consume');
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ code: 'account_unknown' });
    expect(seen.map(({ account }) => account)).toEqual([ACME]);
    expect(acting.account).toBeNull();
    expect(acting.lost).toBe(ACME);
  });

  it('tries no more than once', async () => {
    const { seen, get } = start(() => problem(404, 'account_unknown'));
    const answer = await get('/v1/auth/me');
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ code: 'account_unknown' });
    expect(seen).toHaveLength(2);
  });

  it('keeps another account that was chosen while the answer was on its way, and uses it', async () => {
    const { acting, seen, get } = start((account) => {
      if (account !== ACME) return fine();
      acting.choose(BETA);
      return problem(404, 'account_unknown');
    });
    expect((await get('/v1/auth/me')).status).toBe(200);
    expect(seen.map(({ account }) => account)).toEqual([ACME, BETA]);
    expect(acting.account).toBe(BETA);
  });

  it.each([
    ['another 404', () => problem(404, 'not_found')],
    ['a 404 without a problem', () => new Response('<h1>Not found</h1>', { status: 404 })],
    ['a 403', () => problem(403, 'account_unknown')],
  ])('keeps the choice at %s, whose body stays readable', async (_name, answer) => {
    const { acting, seen, post } = start(answer);
    expect(await (await post('/v1/usage/consume')).text()).not.toBe('');
    expect(seen).toHaveLength(1);
    expect(acting.account).toBe(ACME);
  });

  it('names it again with the renewed token', async () => {
    let first = true;
    const { seen, post } = start(() => {
      const status = first ? 401 : 200;
      first = false;
      return new Response(null, { status });
    });
    expect((await post('/v1/usage/consume')).status).toBe(200);
    expect(seen.map(({ account, authorization }) => [account, authorization])).toEqual([
      [ACME, 'Bearer old'],
      [ACME, 'Bearer new'],
    ]);
  });
});

describe('Acting', () => {
  it('is kept over a reload, and forgotten for good', () => {
    const acting = new Acting(window.sessionStorage);
    acting.choose(ACME);
    expect(new Acting(window.sessionStorage).account).toBe(ACME);
    expect(window.localStorage.length).toBe(0);
    acting.forget();
    expect(new Acting(window.sessionStorage).account).toBeNull();
    expect(window.sessionStorage.length).toBe(0);
  });

  it('takes nothing from the tab that is no id', () => {
    const kept = { getItem: () => 'not\nan id', setItem: vi.fn(), removeItem: vi.fn() };
    expect(new Acting(kept).account).toBeNull();
  });

  it('tells each change once', () => {
    const acting = new Acting(null);
    const listener = vi.fn();
    const stop = acting.subscribe(listener);
    acting.forget();
    acting.choose(ACME);
    acting.choose(ACME);
    acting.forget(BETA);
    expect(listener).toHaveBeenCalledTimes(1);
    acting.lose(BETA);
    acting.lose(ACME);
    expect(acting.lost).toBe(ACME);
    expect(listener).toHaveBeenCalledTimes(2);
    acting.forget();
    expect(acting.lost).toBeNull();
    expect(listener).toHaveBeenCalledTimes(3);
    stop();
    acting.choose(BETA);
    expect(listener).toHaveBeenCalledTimes(3);
  });

  it('holds without a storage that works', () => {
    const refuse = () => {
      throw new Error('full');
    };
    const acting = new Acting({ getItem: () => null, setItem: refuse, removeItem: refuse });
    acting.choose(ACME);
    expect(acting.account).toBe(ACME);
  });
});
