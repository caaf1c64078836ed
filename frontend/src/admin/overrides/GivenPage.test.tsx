import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { address, network, open, problem, type Call } from '../../test/app';
import { meter, storage } from '../../test/meters';
import { operates } from '../../test/operators';
import { account, ACCOUNT_ID, givenTo } from '../../test/refusals';

const LIST = 'GET /v1/admin/overrides';
const given = givenTo();
const TAKE = `DELETE /v1/admin/accounts/${ACCOUNT_ID}/overrides/${given.id}`;
const basis = { ...operates(), 'GET /v1/subscription/usage': [200, { usage: {}, meters: [meter(), storage] }] } as const;
const page = (items: object[], changes: object = {}) =>
  [200, { page: 1, page_size: 50, total: items.length, total_is_exact: true, items, ...changes }] as const;
const asked = (calls: readonly Call[]) => calls.filter(({ route }) => route === LIST).map(({ query }) => query);

describe('the limits beside plans', () => {
  it('are listed with whose they are, how long, why, and by whom', async () => {
    const script = '<script>window.hit = true</script>';
    const acme = account({ id: 'acme', name: 'Acme', external_id: 'acme', user_id: null });
    const set = givenTo({ id: 'b', kind: 'set', amount: null, state: 'ended', ends_at: '2026-11-21T09:00:00Z', reason: script, created_by: null, created_by_email: null, account: acme });
    network({ ...basis, [LIST]: page([given, set], { total: 1_000, total_is_exact: false }) });
    open('/admin/overrides', 'signed-in');
    const table = within(await screen.findByRole('table', { name: /^Limits beside plans/ }));
    const [first, second] = table.getAllByRole('row').slice(1).map((row) => Array.from(row.children, (cell) => cell.textContent));
    expect(first).toEqual([
      'grace@example.com',
      'Jobs: 50 more than the plan',
      'In force',
      'from 20 Nov, 10:00 Berlin · until it is taken back',
      'a launch',
      'root@example.com',
      'Take back',
    ]);
    expect(second).toEqual([
      'Acmeexternal:acme',
      'Jobs: unlimited',
      'Ended',
      'from 20 Nov, 10:00 Berlin · until 21 Nov, 10:00 Berlin',
      script,
      'a command',
      '',
    ]);
    expect(screen.getByText('At least 1,000.')).toBeTruthy();
  });

  it('are taken back in place, which is asked for first and told after', async () => {
    let isTaken = false;
    const calls = network({
      ...basis,
      [LIST]: () => page([isTaken ? givenTo({ state: 'taken_back', ended_at: '2026-11-23T12:00:00Z' }) : given]),
      [TAKE]: () => {
        isTaken = true;
        return [200, givenTo({ state: 'taken_back' })];
      },
    });
    open('/admin/overrides', 'signed-in');
    const name = 'Take back: Jobs: 50 more than the plan, grace@example.com';
    await userEvent.click(await screen.findByRole('button', { name }));
    expect(document.activeElement?.textContent).toBe('Keep it');
    await userEvent.click(screen.getByRole('button', { name: 'Keep it' }));
    expect(document.activeElement?.textContent).toBe('Take back');
    await userEvent.click(screen.getByRole('button', { name }));
    await userEvent.keyboard('{Escape}');
    expect(document.activeElement?.textContent).toBe('Take back');
    expect(calls.some(({ route }) => route === TAKE)).toBe(false);
    await userEvent.click(screen.getByRole('button', { name }));
    await userEvent.click(screen.getByRole('button', { name: 'Take it back' }));
    expect(await screen.findByText('Taken back. Jobs: 50 more than the plan, grace@example.com')).toBeTruthy();
    expect(await screen.findByText('Taken back', { selector: 'td' })).toBeTruthy();
    expect(screen.queryByRole('button', { name })).toBeNull();
    await userEvent.type(screen.getByLabelText('Account or user'), 'g');
    expect(screen.queryByText('Taken back. Jobs: 50 more than the plan, grace@example.com')).toBeNull();
  });

  it('say why one could not be taken back', async () => {
    network({ ...basis, [LIST]: page([given]), [TAKE]: problem(403, 'target_protected', 'This user is an operator.') });
    open('/admin/overrides', 'signed-in');
    await userEvent.click(await screen.findByRole('button', { name: /^Take back: / }));
    await userEvent.click(screen.getByRole('button', { name: 'Take it back' }));
    expect(await screen.findByText(/This user is an operator\./)).toBeTruthy();
  });

  it('are looked at alone by who may not change them', async () => {
    network({ ...basis, ...operates(['users.read', 'stats.read']), [LIST]: page([given]) });
    open('/admin/overrides', 'signed-in');
    await screen.findByRole('table');
    expect(screen.queryByRole('button', { name: /^Take back/ })).toBeNull();
  });

  it('are filtered and paged by what the address says', async () => {
    const calls = network({ ...basis, [LIST]: page([]) });
    open('/admin/overrides?state=ended&page=2&meter=storage&wrong=1', 'signed-in');
    expect(await screen.findByText('None that these filters let through.')).toBeTruthy();
    expect(asked(calls).at(-1)).toEqual({ state: 'ended', meter: 'storage', page: '2', page_size: '50' });
    await userEvent.type(screen.getByLabelText('Account or user'), ' acme ');
    await userEvent.selectOptions(screen.getByLabelText('State'), 'In force');
    await vi.waitFor(() => expect(address()).toBe('/admin/overrides?q=acme&state=in_force&meter=storage'));
    await userEvent.click(screen.getByRole('button', { name: 'Show all' }));
    expect(await screen.findByText(/^Nobody was ever given another limit\./)).toBeTruthy();
    expect(address()).toBe('/admin/overrides');
  });
});
