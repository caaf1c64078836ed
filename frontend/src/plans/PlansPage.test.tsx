import { act, screen, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { plansQuery } from '../api/queries';
import { network, open, problem, tokens } from '../test/app';
import { me } from '../test/me';
import { plan, pro } from '../test/plans';

const PLANS = 'GET /v1/subscription/plans';
const ME = { 'GET /v1/auth/me': [200, me()] } as const;
const plans = [plan({ offer: { action: 'keep', direction: null } }), pro({ offer: { action: 'ask', direction: 'up' } })];

describe('the plans of a customer', () => {
  it('say which one is theirs and whom to ask for another, without a button that does nothing yet', async () => {
    network({ ...ME, [PLANS]: [200, { plans }] });
    open('/app/plans', 'signed-in');
    const table = within(await screen.findByRole('table'));
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('Plans');
    expect(table.getByText('Your plan')).toBeTruthy();
    expect(table.getByText('Ask whoever runs this service to move you to Pro.')).toBeTruthy();
    expect(table.queryByRole('link')).toBeNull();
    expect(table.queryByRole('button')).toBeNull();
  });

  it('offer nothing that needs asking where the free plan follows by itself', async () => {
    const onPro = [plan({ offer: { action: 'ask', direction: 'down' } }), pro({ offer: { action: 'keep', direction: null } })];
    network({ ...ME, [PLANS]: [200, { plans: onPro }] });
    open('/app/plans', 'signed-in');
    expect(await screen.findByText('Applies when your plan ends.')).toBeTruthy();
    expect(screen.queryByText(/^Ask whoever/)).toBeNull();
  });

  it('are asked for again with a new token where the old one made the reader nobody', async () => {
    let fresh = false;
    network({
      'GET /v1/auth/me': () => (fresh ? [200, me()] : problem(401, 'unauthenticated', 'Sign in.')),
      'POST /v1/auth/refresh': () => {
        fresh = true;
        return [200, tokens];
      },
      [PLANS]: () => [200, { plans: fresh ? plans : [plan(), pro()] }],
    });
    open('/app/plans', 'signed-in');
    expect(await screen.findByText('Your plan')).toBeTruthy();
    expect(screen.queryByRole('link', { name: 'Create an account' })).toBeNull();
  });

  it('say where to ask', async () => {
    const health = { status: 'ok', environment: 'production', version: '1', contact: 'mailto:help@example.com' };
    network({ ...ME, [PLANS]: [200, { plans }], 'GET /health': [200, health] });
    open('/app/plans', 'signed-in');
    expect((await screen.findByRole('link', { name: 'help@example.com' })).getAttribute('href')).toBe('mailto:help@example.com');
  });

  it('name the command on a development machine', async () => {
    const health = { status: 'ok', environment: 'development', version: '1', contact: null };
    network({ ...ME, [PLANS]: [200, { plans }], 'GET /health': [200, health] });
    open('/app/plans', 'signed-in');
    expect(await screen.findByText('.venv/bin/feature user set-plan ada@example.com pro')).toBeTruthy();
  });

  it('stay when they cannot be refreshed, and say from when they are', async () => {
    let works = true;
    network({ ...ME, [PLANS]: () => (works ? [200, { plans }] : problem(503, 'temporarily_unavailable', 'Busy.')) });
    const loaded = open('/app/plans', 'signed-in');
    await screen.findByRole('table');
    works = false;
    await act(() => loaded.refetchQueries({ queryKey: plansQuery.queryKey }));
    const notice = await screen.findByText(/^The plans as of .*; they could not be refreshed\.$/);
    expect(notice.closest('[role="status"]')?.textContent).toContain('req_1');
    expect(screen.getByRole('table')).toBeTruthy();
  });
});

describe('the way between the rooms', () => {
  it.each([
    ['/app', 'Overview'],
    ['/app/usage', 'Usage'],
    ['/app/usage/jobs', 'Usage'],
    ['/app/plans', 'Plans'],
    ['/app/limits', 'Limits'],
    ['/app/settings/profile', 'Settings'],
  ])('marks at %s the room %s, and no other', async (path, room) => {
    network({ ...ME, [PLANS]: [200, { plans }] });
    open(path, 'signed-in');
    const links = within(await screen.findByRole('navigation', { name: 'Rooms' })).getAllByRole('link');
    const current = links.filter((link) => link.getAttribute('aria-current') === 'page');
    expect(current.map((link) => link.textContent)).toEqual([room]);
  });
});
