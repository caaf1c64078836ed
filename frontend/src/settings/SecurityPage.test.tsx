import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { network, open, problem, type Call } from '../test/app';
import { me } from '../test/me';

const CHANGE = 'POST /v1/auth/change-password';
const SESSIONS = 'GET /v1/auth/sessions';
const END_OTHERS = 'DELETE /v1/auth/sessions';
const done = [200, { message: 'Done.' }] as const;

const session = (id: string, changes: object = {}) => ({
  id,
  user_agent: 'curl/8.5.0',
  is_operator: false,
  address: '192.0.2.7',
  created_at: '2026-11-01T10:00:00Z',
  last_seen_at: '2026-11-02T10:00:00Z',
  expires_at: '2026-12-02T10:00:00Z',
  is_current: false,
  ...changes,
});
const here = session('here', { user_agent: 'Mozilla/5.0 (X11; Linux) Firefox/143.0', is_current: true });
const there = session('there');
const basis = {
  'GET /v1/auth/me': [200, me()],
  [SESSIONS]: [200, { items: [there, here] }],
} as const;

const panel = async (name: string) => within(await screen.findByRole('region', { name }));
const bodies = (calls: readonly Call[], route: string) => calls.filter((call) => call.route === route).map(({ body }) => body);

async function change(current: string, fresh: string) {
  const password = await panel('Password');
  await userEvent.type(password.getByLabelText('Current password'), current);
  await userEvent.type(password.getByLabelText('New password'), fresh);
  await userEvent.click(password.getByRole('button', { name: 'Change password' }));
}

describe('the password', () => {
  it('is changed, and the sessions are looked at again', async () => {
    const calls = network({ ...basis, [CHANGE]: done });
    open('/app/settings/security', 'signed-in');
    await (await panel('Sessions')).findByText('This one');
    const before = bodies(calls, SESSIONS).length;
    await change('the old pass phrase', 'the new pass phrase');
    expect(await screen.findByText('Your password is changed. Every other session is over.')).toBeTruthy();
    expect(bodies(calls, CHANGE)).toEqual([
      { current_password: 'the old pass phrase', new_password: 'the new pass phrase' },
    ]);
    await vi.waitFor(() => expect(bodies(calls, SESSIONS)).toHaveLength(before + 1));
  });

  it('is refused at the field that is wrong', async () => {
    network({ ...basis, [CHANGE]: problem(400, 'proof_refused', 'This is not your password.') });
    open('/app/settings/security', 'signed-in');
    await change('a guess', 'the new pass phrase');
    const sentence = await screen.findByText('This is not your current password.');
    expect(screen.getByLabelText('Current password').getAttribute('aria-describedby')).toContain(sentence.id);
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it('is not sent while it breaks the rule', async () => {
    const calls = network({ ...basis, [CHANGE]: done });
    open('/app/settings/security', 'signed-in');
    await change('the old pass phrase', 'short');
    expect(screen.getByText('5 characters so far: at least 12 are needed.')).toBeTruthy();
    expect(bodies(calls, CHANGE)).toEqual([]);
  });

  it('asks for no current one where there is none', async () => {
    const calls = network({ ...basis, 'GET /v1/auth/me': [200, me({ has_password: false })], [CHANGE]: done });
    open('/app/settings/security', 'signed-in');
    const password = await panel('Password');
    expect(password.queryByLabelText('Current password')).toBeNull();
    await userEvent.type(password.getByLabelText('New password'), 'the new pass phrase');
    await userEvent.click(password.getByRole('button', { name: 'Change password' }));
    await vi.waitFor(() =>
      expect(bodies(calls, CHANGE)).toEqual([{ current_password: null, new_password: 'the new pass phrase' }]),
    );
  });
});

describe('the sessions', () => {
  it('are listed, this one first, and ended one by one or together', async () => {
    let items = [there, here, session('third')];
    const calls = network({
      ...basis,
      [SESSIONS]: () => [200, { items }],
      'DELETE /v1/auth/sessions/there': () => {
        items = items.filter(({ id }) => id !== 'there');
        return done;
      },
      [END_OTHERS]: () => {
        items = [here];
        return [200, { ended_count: 1 }];
      },
    });
    open('/app/settings/security', 'signed-in');
    const sessions = await panel('Sessions');
    const lines = await sessions.findAllByRole('listitem');
    expect(lines[0]?.textContent).toContain('Firefox on Linux');
    expect(lines[0]?.textContent).toContain('This one');
    expect(lines[1]?.textContent).toContain('192.0.2.7');
    const [first] = sessions.getAllByRole('button', { name: 'End the session curl' });
    await userEvent.click(first!);
    await vi.waitFor(() => expect(sessions.getAllByRole('listitem')).toHaveLength(2));
    await userEvent.click(sessions.getByRole('button', { name: 'End all others' }));
    expect(await sessions.findByText('You are signed in nowhere else.')).toBeTruthy();
    expect(sessions.getByText('The session is over.')).toBeTruthy();
    expect(calls.filter(({ route }) => route === END_OTHERS)).toHaveLength(1);
  });

  it('say when they could not be loaded, and are asked for again', async () => {
    let works = false;
    network({ ...basis, [SESSIONS]: () => (works ? [200, { items: [here] }] : problem(500, 'internal_error', 'Broken.')) });
    open('/app/settings/security', 'signed-in');
    const sessions = await panel('Sessions');
    expect(await sessions.findByText('Your sessions could not be loaded')).toBeTruthy();
    works = true;
    await userEvent.click(sessions.getByRole('button', { name: 'Try again' }));
    expect(await sessions.findByText('You are signed in nowhere else.')).toBeTruthy();
  });
});
