import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { session } from '../api/client';
import { ending } from '../api/ending';
import { signedOut } from '../api/signedOut';
import { address, network, open, problem, tokens } from '../test/app';
import { me } from '../test/me';
import { operates, USER_ID } from '../test/operators';
import { rateLimits } from '../test/plans';

const LOGIN = 'POST /v1/auth/login';
const LOGOUT = 'POST /v1/auth/logout';
const REFRESH = 'POST /v1/auth/refresh';
const ME = 'GET /v1/auth/me';
const RATES = 'GET /v1/subscription/rate-limits';
const rooms = { [ME]: [200, me()], [RATES]: [200, rateLimits()] } as const;
const over = problem(401, 'refresh_refused', 'This sign-in is over.');

async function signIn() {
  await userEvent.type(await screen.findByLabelText('E-mail address'), 'ada@example.com');
  await userEvent.type(screen.getByLabelText('Password'), 'correct horse battery');
  await userEvent.click(screen.getByRole('button', { name: 'Sign in' }));
}

async function leave() {
  await userEvent.click(await screen.findByRole('button', { name: 'Account ada@example.com' }));
  await userEvent.click(await screen.findByRole('button', { name: 'Sign out' }));
  await screen.findByRole('heading', { name: 'Sign in' });
}

beforeEach(() => {
  ending.note(null);
  signedOut.clear();
});

describe('the sign-in page', () => {
  it('goes on to the page that was asked for', async () => {
    network({ ...rooms, [LOGIN]: [200, tokens] });
    open('/app/limits');
    await vi.waitFor(() => expect(address()).toBe('/login?next=%2Fapp%2Flimits'));
    await signIn();
    await vi.waitFor(() => expect(address()).toBe('/app/limits'));
  });

  it('goes on to a room of operators that a link leads to', async () => {
    network({ ...rooms, ...operates(), [LOGIN]: [200, tokens] });
    open(`/admin/users/${USER_ID}?tab=overrides`);
    await signIn();
    await vi.waitFor(() => expect(address()).toBe(`/admin/users/${USER_ID}?tab=overrides`));
  });

  it('goes on to it after a second factor, too', async () => {
    const code = { requires_2fa: true, challenge_id: 'chal_1' };
    network({ ...rooms, [LOGIN]: [200, code], 'POST /v1/auth/2fa/verify': [200, tokens] });
    open('/app/limits');
    await signIn();
    await userEvent.type(await screen.findByLabelText('Code'), '123456');
    await userEvent.click(screen.getByRole('button', { name: 'Sign in' }));
    await vi.waitFor(() => expect(address()).toBe('/app/limits'));
  });

  it('goes nowhere else, whatever the address says', async () => {
    network({ ...rooms, [LOGIN]: [200, tokens] });
    open('/login?next=https%3A%2F%2Felsewhere.example%2Fapp');
    await signIn();
    await vi.waitFor(() => expect(address()).toBe('/app'));
  });

  it('says that the session was ended, and goes back to where the reader was', async () => {
    let ended = false;
    network({
      ...rooms,
      [RATES]: () => (ended ? problem(401, 'unauthenticated', 'Sign in.') : [200, rateLimits()]),
      [REFRESH]: over,
      [LOGIN]: [200, tokens],
    });
    const loaded = open('/app/limits', 'signed-in');
    await screen.findByRole('heading', { name: 'Limits' });
    ended = true;
    await loaded.invalidateQueries();
    expect(await screen.findByText('You were signed out')).toBeTruthy();
    ended = false;
    await signIn();
    await vi.waitFor(() => expect(address()).toBe('/app/limits'));
    expect(ending.known).toBeNull();
  });

  it('refuses a wrong password in two sentences, without a number to copy', async () => {
    network({ [LOGIN]: problem(401, 'invalid_credentials', 'No.') });
    open('/login');
    await signIn();
    expect((await screen.findByRole('alert')).textContent).toContain('You are not signed in');
    expect(screen.queryByText('req_1')).toBeNull();
  });

  it('leads to the prices', async () => {
    network({});
    open('/login');
    expect((await screen.findByRole('link', { name: 'Plans and prices' })).getAttribute('href')).toBe('/pricing');
  });
});

describe('a sign-out', () => {
  it('that is confirmed leads to sign-in, and keeps no place for the next reader', async () => {
    const calls = network({ ...rooms, [LOGOUT]: [200, { message: 'Bye.' }] });
    open('/app/limits', 'signed-in');
    await leave();
    expect(address()).toBe('/login');
    expect(calls.filter(({ route }) => route === LOGOUT)).toHaveLength(1);
    expect(signedOut.isUnconfirmed).toBe(false);
    expect(screen.queryByText('You were signed out')).toBeNull();
  });

  it.each([
    ['of a suspended account', problem(403, 'account_suspended', 'Suspended.')],
    ['without an answer', null],
    ['at a failing server', problem(500, 'internal_error', 'Failed.')],
  ])('%s holds here, and no reload undoes it', async (_name, answer) => {
    const calls = network({ ...rooms, [LOGOUT]: answer, [REFRESH]: [200, tokens] });
    open('/app', 'signed-in');
    await leave();
    expect(session.status).toBe('signed-out');
    expect(screen.getByText('You are signed out in this browser')).toBeTruthy();
    // As after a reload: the cookie is still there, and is used for one thing only.
    expect(await session.renew()).toBeNull();
    expect(calls.filter(({ route }) => route === LOGOUT)).toHaveLength(2);
    expect(signedOut.isUnconfirmed).toBe(true);
  });

  it('is confirmed as soon as the server answers', async () => {
    let tries = 0;
    network({
      ...rooms,
      [LOGOUT]: () => (++tries === 1 ? problem(503, 'temporarily_unavailable', 'Busy.') : [200, { message: 'Bye.' }]),
      [REFRESH]: [200, tokens],
    });
    open('/app', 'signed-in');
    await leave();
    expect(await session.renew()).toBeNull();
    expect(tries).toBe(2);
    expect(signedOut.isUnconfirmed).toBe(false);
  });

  it('with a token that is too old takes a new one for it', async () => {
    let tries = 0;
    network({
      ...rooms,
      [LOGOUT]: () => (++tries === 1 ? problem(401, 'unauthenticated', 'Too old.') : [200, { message: 'Bye.' }]),
      [REFRESH]: [200, tokens],
    });
    open('/app', 'signed-in');
    await leave();
    expect(tries).toBe(2);
    expect(signedOut.isUnconfirmed).toBe(false);
  });

  it('is forgotten by the next sign-in', async () => {
    network({ ...rooms, [LOGOUT]: null, [LOGIN]: [200, tokens] });
    open('/app', 'signed-in');
    await leave();
    await signIn();
    await vi.waitFor(() => expect(address()).toBe('/app'));
    expect(signedOut.isUnconfirmed).toBe(false);
  });
});

describe('an address without a page', () => {
  it.each([
    ['somebody who is signed in', () => session.signIn('token'), 'Go to the overview'],
    ['nobody', () => session.signOut(), 'Go to sign-in'],
  ])('finds out that it speaks to %s', async (_name, find, link) => {
    network(rooms);
    // As on a page that has just been loaded, and knows nobody yet.
    vi.spyOn(session, 'restore').mockImplementation(() => {
      find();
      return Promise.resolve(session.status);
    });
    open('/nowhere');
    expect(await screen.findByRole('link', { name: link })).toBeTruthy();
  });
});
