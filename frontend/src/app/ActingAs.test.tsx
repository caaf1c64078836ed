import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { actAs } from '../api/client';
import { network, open, problem, type Call } from '../test/app';
import { me } from '../test/me';

const ME = 'GET /v1/auth/me';
const USER = '0199f0aa-0000-7000-8000-0000000000bb';
const OPERATOR = '0199f0aa-0000-7000-8000-0000000000cc';
const acts = { operator_id: OPERATOR, expires_at: '2099-01-01T10:00:00Z', may_write: false };

/** The user's own view to the token of the acting, and the operator's to their own. */
function whose({ authorization }: Call) {
  const isUser = authorization === 'Bearer of the user';
  return [200, isUser ? me({ email: 'ben@example.com', impersonation: acts }) : me({ roles: ['support'] })] as const;
}

describe('acting as a user', () => {
  it('asks everything as the user but the back office, says so above each page, and ends on both sides', async () => {
    const calls = network({
      [ME]: whose,
      'POST /v1/auth/logout': [200, { message: 'You are signed out.' }],
      'GET /v1/admin/me': [200, { user_id: OPERATOR, email: 'ada@example.com', roles: ['support'], permissions: [] }],
    });
    const loaded = open('/app', 'signed-in');
    await screen.findByRole('button', { name: 'Account ada@example.com' });
    loaded.setQueryData(['account', 'elsewhere'], 'of the operator');
    actAs(USER, 'of the user');
    expect(await screen.findByText('You act as ben@example.com.')).toBeTruthy();
    expect(screen.getByRole('region', { name: 'Acting as a user' }).textContent).toContain('You only look.');
    expect(loaded.getQueryData(['account', 'elsewhere'])).toBeUndefined();
    await userEvent.click(screen.getByRole('button', { name: 'Stop acting' }));
    await vi.waitFor(() => expect(screen.queryByRole('region', { name: 'Acting as a user' })).toBeNull());
    const sent = (route: string) => calls.filter((call) => call.route === route).map((call) => call.authorization);
    expect(sent('POST /v1/auth/logout')).toEqual(['Bearer of the user']);
    expect(new Set(sent('GET /v1/admin/me'))).toEqual(new Set(['Bearer token of before']));
    expect(sent(ME).at(-1)).toBe('Bearer token of before');
    expect(screen.queryByText('You are yourself again')).toBeNull();
  });

  it('says that it is over when the server says so, and asks nothing of it again as the operator', async () => {
    let isOver = false;
    const calls = network({
      [ME]: whose,
      'POST /v1/usage/consume': ({ authorization }) =>
        isOver && authorization === 'Bearer of the user' ? problem(401, 'unauthenticated', 'Over.') : [200, {}],
    });
    open('/app', 'signed-in');
    await screen.findByRole('button', { name: 'Account ada@example.com' });
    actAs(USER, 'of the user');
    await screen.findByText('You act as ben@example.com.');
    isOver = true;
    await userEvent.click(await screen.findByRole('button', { name: 'Spend one job' }));
    expect(await screen.findByText('You are yourself again')).toBeTruthy();
    expect(calls.filter(({ route }) => route === 'POST /v1/usage/consume')).toHaveLength(1);
    await screen.findByRole('button', { name: 'Account ada@example.com' });
    await userEvent.click(screen.getByRole('button', { name: 'Close' }));
    expect(screen.queryByText('You are yourself again')).toBeNull();
  });

  it('is ended where the page goes away', async () => {
    const logout = 'POST /v1/auth/logout';
    const calls = network({ [ME]: whose, [logout]: [200, { message: 'You are signed out.' }] });
    const sent = () => calls.filter(({ route }) => route === logout).map(({ authorization }) => authorization);
    open('/app', 'signed-in');
    await screen.findByRole('button', { name: 'Account ada@example.com' });
    window.dispatchEvent(new Event('pagehide'));
    actAs(USER, 'of the user');
    await screen.findByText('You act as ben@example.com.');
    expect(sent()).toEqual([]);
    window.dispatchEvent(new Event('pagehide'));
    await vi.waitFor(() => expect(sent()).toEqual(['Bearer of the user']));
  });

  it.each([
    ['impersonation_read_only', 'You only look', /begin again with the right to use the account/],
    ['impersonation_locked', 'Not while you act as somebody else', /^Ask the user to do it/],
  ])('says what is closed to who acts: %s', async (code, title, step) => {
    network({ [ME]: whose, 'POST /v1/usage/consume': problem(403, code, 'Sentence of the server.') });
    open('/app', 'signed-in');
    await screen.findByRole('button', { name: 'Account ada@example.com' });
    actAs(USER, 'of the user');
    await screen.findByText('You act as ben@example.com.');
    await userEvent.click(await screen.findByRole('button', { name: 'Spend one job' }));
    const refusal = (await screen.findByText(title)).closest<HTMLElement>('[role=alert]');
    expect(within(refusal ?? document.body).getByText(step)).toBeTruthy();
    expect(screen.queryByText(/Tell whoever/)).toBeNull();
  });
});
