import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { network, open } from '../../../test/app';
import { operates, OPERATOR_ID, userWhole, USER_ID } from '../../../test/operators';

const USER = `GET /v1/admin/users/${USER_ID}`;
const PLACE = `/admin/users/${USER_ID}`;

describe('the acts that are offered', () => {
  it('are those that the operator may do', async () => {
    network({ ...operates(['users.read', 'users.sessions']), [USER]: [200, userWhole()] });
    open(PLACE, 'signed-in');
    const panel = within(await screen.findByRole('region', { name: 'What you can do' }));
    expect(panel.getAllByRole('button').map(({ textContent }) => textContent)).toEqual(['End all sessions']);
  });

  it('are none on an operator, but for a superadmin, and it is said why', async () => {
    network({ ...operates(['users.read', 'users.edit', 'users.lock'], ['support']), [USER]: [200, userWhole({ roles: ['billing'] })] });
    open(PLACE, 'signed-in');
    const panel = within(await screen.findByRole('region', { name: 'What you can do' }));
    expect(panel.getByText('This user is an operator: only a superadmin changes operators.')).toBeTruthy();
    expect(panel.queryAllByRole('button')).toEqual([]);
  });

  it('of a superadmin on an operator are all but acting as them', async () => {
    network({ ...operates(), [USER]: [200, userWhole({ roles: ['billing'] })] });
    open(PLACE, 'signed-in');
    const panel = within(await screen.findByRole('region', { name: 'What you can do' }));
    expect(panel.getByText('This user is an operator: nobody acts as an operator.')).toBeTruthy();
    expect(panel.getByRole('button', { name: 'Lock this user' })).toBeTruthy();
    expect(panel.queryByRole('button', { name: 'Act as this user' })).toBeNull();
  });

  it('are not spoken of to who only looks', async () => {
    const session = { id: 's', user_agent: 'curl/8', address: '10.0.0.1', impersonator_id: null };
    const times = { created_at: '2026-11-01T10:00:00Z', last_seen_at: '2026-11-01T10:00:00Z', expires_at: '2026-12-01T10:00:00Z' };
    const whole = userWhole({ sessions: [{ ...session, ...times }] });
    network({ ...operates(['users.read', 'audit.read'], ['read_only']), [USER]: [200, whole] });
    open(PLACE, 'signed-in');
    await screen.findByRole('region', { name: 'Who' });
    expect(screen.queryByRole('region', { name: 'What you can do' })).toBeNull();
    await userEvent.click(screen.getByRole('link', { name: 'Sessions' }));
    expect(await screen.findByText('10.0.0.1')).toBeTruthy();
    expect(screen.queryByRole('button', { name: 'End all sessions' })).toBeNull();
  });

  it.each([
    ['active', 'Signs them out everywhere. Their keys go on.', null],
    ['suspended', 'Signs them out everywhere. Their keys rest as it is.', /^These keys rest, because the user is locked\./],
    ['unverified', 'Signs them out everywhere. Their keys rest as it is.', /^These keys rest, because the user has not confirmed/],
  ] as const)('and keys of a user who is %s say whether the keys work', async (status, detail, why) => {
    const key = { id: 'k', name: 'ci', prefix: 'fk_live_ab', scopes: [], last_used_at: null };
    const whole = userWhole({ status, keys: [{ ...key, created_at: '2026-11-01T10:00:00Z', expires_at: null }] });
    network({ ...operates(), [USER]: [200, whole] });
    open(PLACE, 'signed-in');
    expect(await screen.findByText(detail)).toBeTruthy();
    await userEvent.click(screen.getByRole('link', { name: 'Keys' }));
    expect(await screen.findByText('ci')).toBeTruthy();
    if (why === null) expect(screen.queryByText(/^These keys rest/)).toBeNull();
    else expect(screen.getByText(why)).toBeTruthy();
  });

  it('give another operator and, but for a superadmin, oneself nothing', async () => {
    const plain = operates(['users.read', 'users.edit', 'plans.assign', 'overrides.write'], ['support']);
    network({
      ...plain,
      [`GET /v1/admin/users/${OPERATOR_ID}`]: [200, userWhole({ id: OPERATOR_ID, roles: ['support'] })],
      [USER]: [200, userWhole({ roles: ['billing'] })],
    });
    open(`/admin/users/${OPERATOR_ID}`, 'signed-in');
    const panel = within(await screen.findByRole('region', { name: 'What you can do' }));
    expect(panel.getByText(/Nor can you give yourself a plan or another limit\.$/)).toBeTruthy();
    expect(panel.getAllByRole('button').map(({ textContent }) => textContent)).toEqual(['Change name', 'Clear rate limits']);
    const tabs = within(screen.getByRole('navigation', { name: 'Parts of this user' }));
    await userEvent.click(tabs.getByRole('link', { name: 'Overrides' }));
    expect(await screen.findByText(/^This is yourself: another operator, or a superadmin, gives you a limit/)).toBeTruthy();
  });

  it('do not lock oneself', async () => {
    const own = `GET /v1/admin/users/${OPERATOR_ID}`;
    network({ ...operates(), [own]: [200, userWhole({ id: OPERATOR_ID, mfa_enabled: true })] });
    open(`/admin/users/${OPERATOR_ID}`, 'signed-in');
    const panel = within(await screen.findByRole('region', { name: 'What you can do' }));
    expect(panel.getByText(/This is yourself/)).toBeTruthy();
    for (const name of ['Lock this user', 'Change address', 'Turn two-factor sign-in off']) {
      expect(panel.queryByRole('button', { name })).toBeNull();
    }
  });
});
