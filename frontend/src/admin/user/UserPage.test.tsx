import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { address, network, open, problem, type Call } from '../../test/app';
import { operates, userWhole, USER_ID } from '../../test/operators';

const USER = `GET /v1/admin/users/${USER_ID}`;
const PLACE = `/admin/users/${USER_ID}`;
const ofUser = (act: string) => `POST /v1/admin/users/${USER_ID}/${act}`;
const sent = (calls: Call[], route: string) => calls.filter((call) => call.route === route).map(({ body }) => body);

const button = (name: string) => screen.findByRole('button', { name });

describe('the room of a user', () => {
  it('says who they are, and shows names as text', async () => {
    const hostile = '<script>window.hit = true</script>';
    network({ ...operates(), [USER]: [200, userWhole({ name: hostile, roles: ['support'] })] });
    open(PLACE, 'signed-in');
    expect(await screen.findByRole('heading', { name: 'grace@example.com', level: 1 })).toBeTruthy();
    const facts = within(screen.getByRole('region', { name: 'Who' }));
    expect(facts.getByText(hostile)).toBeTruthy();
    expect(facts.getByText('Support')).toBeTruthy();
    expect(facts.getByText(USER_ID)).toBeTruthy();
  });

  it('has parts in the address', async () => {
    const session = { id: 's', user_agent: 'curl/8', address: '10.0.0.1', impersonator_id: null };
    const times = { created_at: '2026-11-01T10:00:00Z', last_seen_at: '2026-11-01T10:00:00Z', expires_at: '2026-12-01T10:00:00Z' };
    const key = { id: 'k', name: '<b>ci</b>', prefix: 'fk_live_ab', scopes: [], last_used_at: null };
    const keyTimes = { created_at: '2026-11-01T10:00:00Z', expires_at: null };
    const whole = userWhole({ sessions: [{ ...session, ...times }], keys: [{ ...key, ...keyTimes }] });
    network({ ...operates(), [USER]: [200, whole] });
    open(PLACE, 'signed-in');
    await userEvent.click(await screen.findByRole('link', { name: 'Sessions' }));
    expect(address()).toBe(`${PLACE}?tab=sessions`);
    const tabs = within(screen.getByRole('navigation', { name: 'Parts of this user' }));
    const current = tabs.getAllByRole('link').filter((link) => link.getAttribute('aria-current') === 'page');
    expect(current.map(({ textContent }) => textContent)).toEqual(['Sessions']);
    expect(screen.getByText('10.0.0.1')).toBeTruthy();
    await userEvent.click(screen.getByRole('link', { name: 'Keys' }));
    expect(screen.getByText('<b>ci</b>')).toBeTruthy();
    expect(screen.getByText('fk_live_ab…')).toBeTruthy();
  });

  it('says that there is no such user', async () => {
    network({ ...operates(), [USER]: problem(404, 'user_unknown', 'No user has this id.') });
    open(PLACE, 'signed-in');
    expect(await screen.findByText('There is no such user')).toBeTruthy();
    expect(screen.getByRole('link', { name: 'All users' }).getAttribute('href')).toBe('/admin/users');
  });
});

describe('the acts', () => {
  it('lock with a reason, after a question, and unlock', async () => {
    let status: 'active' | 'suspended' = 'active';
    const calls = network({
      ...operates(),
      [USER]: () => [200, userWhole({ status })],
      [ofUser('lock')]: () => {
        status = 'suspended';
        return [200, { message: 'Done.' }];
      },
      [ofUser('unlock')]: () => {
        status = 'active';
        return [200, { message: 'Done.' }];
      },
    });
    open(PLACE, 'signed-in');
    await userEvent.click(await button('Lock this user'));
    const question = within(screen.getByRole('form', { name: 'Lock' }));
    expect(question.getByRole('alert').textContent).toContain('signed out everywhere');
    expect(document.activeElement).toBe(question.getByLabelText('Reason'));
    await userEvent.click(question.getByRole('button', { name: 'Lock them' }));
    expect(question.getByText('Say why.')).toBeTruthy();
    expect(sent(calls, ofUser('lock'))).toEqual([]);
    await userEvent.click(question.getByRole('button', { name: 'Cancel' }));
    expect(document.activeElement).toBe(await button('Lock this user'));
    await userEvent.keyboard('{Enter}');
    await userEvent.type(screen.getByLabelText('Reason'), '{Escape}');
    expect(document.activeElement).toBe(await button('Lock this user'));
    await userEvent.click(await button('Lock this user'));
    await userEvent.type(screen.getByLabelText('Reason'), ' spam <b>');
    await userEvent.click(await button('Lock them'));
    expect(await screen.findByText('grace@example.com is locked.')).toBeTruthy();
    expect(sent(calls, ofUser('lock'))).toEqual([{ reason: 'spam <b>' }]);
    await userEvent.click(await button('Unlock this user'));
    await userEvent.click(await button('Unlock them'));
    expect(await screen.findByText('grace@example.com may sign in again.')).toBeTruthy();
    expect(await button('Lock this user')).toBeTruthy();
  });

  it('say in place why nothing was changed', async () => {
    network({ ...operates(), [USER]: [200, userWhole()], [ofUser('lock')]: problem(403, 'target_protected', 'An operator.') });
    open(PLACE, 'signed-in');
    await userEvent.click(await button('Lock this user'));
    await userEvent.type(screen.getByLabelText('Reason'), 'x');
    await userEvent.click(await button('Lock them'));
    const alert = (await screen.findByText('Nothing was changed')).closest('[role="alert"]');
    expect(alert?.textContent).toContain('An operator.');
    expect(screen.getByLabelText<HTMLTextAreaElement>('Reason').value).toBe('x');
  });

  it('assign a plan for some days', async () => {
    const plans = ['free', 'pro'].map((name) => ({ name, display_name: `${name} plan` }));
    const calls = network({
      ...operates(),
      [USER]: [200, userWhole()],
      'GET /v1/subscription/plans': [200, { plans, contact: null }],
      [ofUser('upgrade-plan')]: [200, { plan_name: 'pro', status: 'active', subscription_id: null, expires_at: null }],
    });
    open(PLACE, 'signed-in');
    await userEvent.click(await button('Assign a plan'));
    expect(await screen.findByRole('option', { name: 'pro plan' })).toBeTruthy();
    expect(screen.getByRole<HTMLSelectElement>('combobox', { name: 'Plan' }).value).toBe('pro');
    await userEvent.clear(screen.getByLabelText('For how many days'));
    await userEvent.type(screen.getByLabelText('For how many days'), '1.5');
    await userEvent.click(await button('Assign the plan'));
    expect(screen.getByText('Enter a whole number of days from 1 to 3,660.')).toBeTruthy();
    await userEvent.clear(screen.getByLabelText('For how many days'));
    await userEvent.type(screen.getByLabelText('For how many days'), '7');
    await userEvent.click(await button('Assign the plan'));
    expect(await screen.findByText('The account is on pro now.')).toBeTruthy();
    expect(sent(calls, ofUser('upgrade-plan'))).toEqual([{ plan_name: 'pro', duration_days: 7 }]);
  });

  it('change name, address and roles', async () => {
    const edit = `PATCH /v1/admin/users/${USER_ID}`;
    const calls = network({
      ...operates(),
      [USER]: [200, userWhole({ name: 'Grace' })],
      [edit]: [200, { message: 'Done.' }],
      [ofUser('roles')]: ({ body }) => [200, body as object],
    });
    open(PLACE, 'signed-in');
    await userEvent.click(await button('Change name'));
    await userEvent.clear(screen.getByLabelText('New name'));
    await userEvent.click(await button('Save name'));
    expect(await screen.findByText('They have no name now.')).toBeTruthy();
    await userEvent.click(await button('Change address'));
    expect(screen.getByRole('alert').textContent).toContain('The old address is told');
    await userEvent.clear(screen.getByLabelText('New address'));
    await userEvent.type(screen.getByLabelText('New address'), 'hopper@example.com');
    await userEvent.click(await button('Change the address'));
    expect(await screen.findByText('The address is hopper@example.com now, and waits to be confirmed.')).toBeTruthy();
    expect(sent(calls, edit)).toEqual([{ name: null }, { email: 'hopper@example.com' }]);
    await userEvent.click(await button('Change roles'));
    await userEvent.click(screen.getByLabelText('Support'));
    await userEvent.click(await button('Save roles'));
    expect(await screen.findByText('Their roles: Support.')).toBeTruthy();
    expect(sent(calls, ofUser('roles'))).toEqual([{ roles: ['support'] }]);
  });

  it('end sessions, clear limits, reset the second factor, send a new link', async () => {
    network({
      ...operates(),
      [USER]: [200, userWhole({ mfa_enabled: true, status: 'unverified' })],
      [ofUser('revoke-sessions')]: [200, { revoked_count: 2 }],
      [ofUser('clear-rate-limits')]: [200, { cleared_count: 3 }],
      [ofUser('reset-2fa')]: [200, { message: 'Done.' }],
      [ofUser('resend-verification')]: [200, { message: 'Done.' }],
    });
    open(PLACE, 'signed-in');
    for (const [begin, confirm, said] of [
      ['End all sessions', 'End all sessions', '2 sessions were ended.'],
      ['Clear rate limits', 'Clear them', 'Cleared: 3 rate limits were in use.'],
      ['Turn two-factor sign-in off', 'Turn it off', 'Two-factor sign-in of grace@example.com is off.'],
      ['Send a new link', 'Send it', 'A new link is on its way to grace@example.com.'],
    ] as const) {
      await userEvent.click(await button(begin));
      await userEvent.click(await button(confirm));
      expect(await screen.findByText(said)).toBeTruthy();
    }
  });
});
