import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { address, network, open, problem, type Call } from '../../test/app';
import { DECISION } from '../../test/decisions';
import { meter, storage } from '../../test/meters';
import { operates, usersPage } from '../../test/operators';
import { account, ACCOUNT_ID, refusal, refusalWhole } from '../../test/refusals';

const LIST = 'GET /v1/admin/decisions';
const ONE = `GET /v1/admin/decisions/${DECISION}`;
const basis = { ...operates(), 'GET /v1/subscription/usage': [200, { usage: {}, meters: [meter(), storage] }] } as const;
const page = (items: object[], next: string | null = null) => [200, { items, next }] as const;
const asked = (calls: readonly Call[]) => calls.filter(({ route }) => route === LIST).map(({ query }) => query);
const find = () => userEvent.click(screen.getByRole('button', { name: 'Find' }));

async function lines() {
  const table = within(await screen.findByRole('table', { name: /^Refused requests of all accounts/ }));
  return table.getAllByRole('row').slice(1).map((row) => Array.from(row.children, (cell) => cell.textContent));
}

describe('the refused requests of all accounts', () => {
  it('are listed with whose they are and which key was used, and older ones on demand', async () => {
    const script = '<img src=x onerror="window.hit = true">';
    const acme = account({ id: 'acme', name: script, external_id: 'acme', user_id: null });
    const host = refusal({ id: 'b', account: acme, key: { id: 'h', kind: 'service', name: script, prefix: 'fk_svc_a3f9zz' }, path: script });
    const calls = network({
      ...basis,
      [LIST]: ({ query }) => (query.after === 'b' ? page([refusal({ id: 'c', key: null, count: 1_204 })]) : page([refusal(), host], 'b')),
    });
    open('/admin/decisions', 'signed-in');
    const [first, second] = await lines();
    expect(first?.slice(1)).toEqual([
      'Jobs: the limit is reached549 of 550 used · 1 asked · POST /v1/usage/consume · req_01JD',
      'grace@example.com',
      'key fk_live_a3f9zz… “prod”',
      'once',
    ]);
    expect(second?.slice(2, 4)).toEqual([`${script}external:acme`, `key fk_svc_a3f9zz… “${script}”`]);
    expect(document.querySelector('main img')).toBeNull();
    expect(screen.getByRole('link', { name: 'grace@example.com' }).getAttribute('href')).toMatch(/^\/admin\/users\//);
    await userEvent.click(screen.getByRole('button', { name: 'Show older ones' }));
    await vi.waitFor(async () => expect(await lines()).toHaveLength(3));
    expect((await lines())[2]?.[4]).toBe('1,204 times');
    expect(asked(calls).at(-1)).toEqual({ limit: '50', after: 'b' });
  });

  it('are found by what a customer gives: an id leads straight to its page', async () => {
    const calls = network({
      ...basis,
      [LIST]: ({ query }) => page(query.q === 'req_01JD' ? [refusal()] : [refusal(), refusal({ id: 'b' })]),
      [ONE]: [200, refusalWhole()],
    });
    open('/admin/decisions', 'signed-in');
    const box = await screen.findByLabelText(/^Request id, decision id/);
    expect(document.activeElement).toBe(box);
    await userEvent.keyboard(' req_01JD {Enter}');
    expect((await screen.findByRole('heading', { level: 1 })).textContent).toBe('Why was this denied?');
    expect(address()).toBe(`/admin/decisions/${DECISION}`);
    expect(asked(calls).at(-1)?.q).toBe('req_01JD');
  });

  it('are found by a whole message, and a user by their address', async () => {
    network({ ...basis, [LIST]: page([refusal(), refusal({ id: 'b' })]), 'GET /v1/admin/users': usersPage([]) });
    open('/admin/decisions', 'signed-in');
    const box = await screen.findByLabelText<HTMLInputElement>(/^Request id, decision id/);
    await userEvent.click(box);
    await userEvent.paste(`Hello,\ndecision ${DECISION.toUpperCase()} was refused.\nAda <ada@example.com>`);
    expect(box.value).toBe(DECISION);
    await find();
    await vi.waitFor(() => expect(address()).toBe(`/admin/decisions?q=${DECISION}`));
    await userEvent.clear(await screen.findByLabelText(/^Request id, decision id/));
    await userEvent.keyboard('ask ada@example.com{Enter}');
    await vi.waitFor(() => expect(address()).toBe('/admin/users?q=ada%40example.com'));
  });

  it('of a key stay a list, and its secret is not kept', async () => {
    const calls = network({ ...basis, [LIST]: page([refusal()]) });
    open('/admin/decisions', 'signed-in');
    await userEvent.click(await screen.findByLabelText(/^Request id, decision id/));
    await userEvent.paste(' fk_live_a3f9zzSECRETSECRET');
    await find();
    await vi.waitFor(() => expect(address()).toBe('/admin/decisions?q=fk_live_a3f9zz'));
    expect(await lines()).toHaveLength(1);
    expect(JSON.stringify(calls)).not.toContain('SECRET');
  });

  it('of which several have an id are chosen from', async () => {
    network({ ...basis, [LIST]: page([refusal(), refusal({ id: 'b' })]) });
    open('/admin/decisions?q=mine', 'signed-in');
    expect(await lines()).toHaveLength(2);
    expect(address()).toBe('/admin/decisions?q=mine');
  });

  it('are filtered by what the address says, and the address says what is chosen', async () => {
    const calls = network({ ...basis, [LIST]: page([]) });
    open(`/admin/decisions?account=${ACCOUNT_ID}&code=rate_limited&from=2026-11-23&wrong=1`, 'signed-in');
    expect(await screen.findByText('Nothing was refused that these filters let through.')).toBeTruthy();
    await vi.waitFor(() =>
      expect(asked(calls).at(-1)).toEqual({
        limit: '50',
        account_id: ACCOUNT_ID,
        code: 'rate_limited',
        from: '2026-11-22T23:00:00.000Z',
      }),
    );
    await userEvent.selectOptions(screen.getByLabelText('Meter'), 'Storage');
    await find();
    await vi.waitFor(() => expect(asked(calls).at(-1)?.meter).toBe('storage'));
    await userEvent.click(screen.getByRole('button', { name: 'Show all' }));
    expect(await screen.findByText('Nothing was refused to anybody yet.')).toBeTruthy();
    expect(address()).toBe('/admin/decisions');
  });

  it('say that an id is unknown, that older ones were not looked at, and what failed', async () => {
    let answer: readonly [number, object] = page([]);
    network({ ...basis, [LIST]: () => answer });
    open('/admin/decisions?q=nothing', 'signed-in');
    expect(await screen.findByText(/^No refusal has this id\..*401/)).toBeTruthy();
    answer = page([], 'z');
    await userEvent.selectOptions(screen.getByLabelText('Why'), 'Not in the plan');
    await find();
    expect(await screen.findByText(/^Among the newest ones there is none/)).toBeTruthy();
    answer = problem(404, 'account_unknown', 'No account has this id.') as typeof answer;
    await userEvent.type(screen.getByLabelText('Account'), 'x');
    await find();
    expect(await screen.findByText(/No account has this id\./)).toBeTruthy();
  });
});
