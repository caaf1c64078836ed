import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import type { RefusalWhole } from '../../api/types';
import { address, network, open, problem } from '../../test/app';
import { DECISION } from '../../test/decisions';
import { meter, storage } from '../../test/meters';
import { operates, OPERATOR_ID, USER_ID } from '../../test/operators';
import { account, ACCOUNT_ID, givenTo, refusal, refusalWhole } from '../../test/refusals';

const ONE = `GET /v1/admin/decisions/${DECISION}`;
const GRANT = `POST /v1/admin/accounts/${ACCOUNT_ID}/overrides`;
const SUPPOSE = `POST /v1/admin/decisions/${DECISION}/simulate`;
const basis = {
  ...operates(),
  'GET /v1/subscription/usage': [200, { usage: {}, meters: [meter(), storage] }],
  'GET /v1/subscription/plans': [200, { plans: [] }],
} as const;
const PATH = `/admin/decisions/${DECISION}`;

function nowIs(changes: Partial<RefusalWhole['now']>): RefusalWhole['now'] {
  return { ...refusalWhole().now, ...changes };
}

describe('a refusal, to an operator', () => {
  it('says whose it is, by which key, and what is missing', async () => {
    network({ ...basis, [ONE]: [200, refusalWhole()] });
    open(PATH, 'signed-in');
    expect(await screen.findByText('key fk_live_a3f9zz… “prod”, in force')).toBeTruthy();
    expect(screen.getByRole('link', { name: 'grace@example.com' }).getAttribute('href')).toMatch(/^\/admin\/users\//);
    expect(screen.getByRole('link', { name: ACCOUNT_ID }).getAttribute('href')).toBe(`/admin/decisions?account=${ACCOUNT_ID}`);
    const rules = within(screen.getByRole('table', { name: /^Each rule/ })).getAllByRole('row').slice(1);
    expect(rules[4]?.textContent).toBe('5 QuotaJobs: plan 500 + override 50 = 550; used 549, held 1; asked 1FAIL');
    const fixes = within(screen.getByRole('region', { name: 'What helps' })).getAllByRole('listitem');
    expect(fixes.map((item) => item.textContent)).toEqual([
      'Wait until 1 Dec, 00:00 Berlin.',
      'Move to Enterprise.',
      'Give it 3 more: that is what this request lacks.',
    ]);
  });

  it('says where an operator has asked as the user', async () => {
    const operator = '01920000-0000-7000-8000-0000000000aa';
    network({ ...basis, [ONE]: [200, refusalWhole({ subject: `operator:${operator}` })] });
    open(PATH, 'signed-in');
    const who = await screen.findByRole('link', { name: 'An operator who acted as the user' });
    expect(who.getAttribute('href')).toBe(`/admin/users/${operator}`);
    expect(screen.getByText(operator)).toBeTruthy();
  });

  it('is answered anew when what is missing was given, until the window ends', async () => {
    let isGiven = false;
    const allowed = nowIs({ allowed: true, rule: null, grant: null, limit: 553, fixes: [] });
    const calls = network({
      ...basis,
      [ONE]: () => [200, refusalWhole(isGiven ? { now: allowed } : {})],
      [GRANT]: () => {
        isGiven = true;
        return [201, givenTo({ amount: 3 })];
      },
    });
    open(PATH, 'signed-in');
    const grant = within(await screen.findByRole('region', { name: 'Give what is missing' }));
    expect(grant.getByLabelText<HTMLInputElement>('Jobs more than the plan gives').value).toBe('3');
    await userEvent.click(grant.getByRole('button', { name: 'Grant it' }));
    expect(grant.getByText('Say why.')).toBeTruthy();
    await userEvent.type(grant.getByLabelText('Reason'), ' a launch ');
    await userEvent.click(grant.getByRole('button', { name: 'Grant it' }));
    expect(await screen.findByText(/^Jobs: 3 more\./)).toBeTruthy();
    const back = screen.getByRole('link', { name: 'See it, and the way to take it back' });
    expect(back.getAttribute('href')).toBe(`/admin/users/${USER_ID}?tab=overrides`);
    expect(calls.find(({ route }) => route === GRANT)?.body).toEqual({
      meter: 'jobs',
      kind: 'add',
      amount: 3,
      ends_at: '2026-11-30T23:00:00Z',
      reason: 'a launch',
    });
    expect(await screen.findByText('Nothing is needed: the same request would be allowed now.')).toBeTruthy();
    expect(screen.queryByRole('region', { name: 'Give what is missing' })).toBeNull();
  });

  it.each([
    ['is locked', {}, 'See the user', `/admin/users/${USER_ID}`],
    ['has a key that is over', { state: 'expired' } as const, 'See the keys of the user', `/admin/users/${USER_ID}?tab=keys`],
  ])('leads to a user who %s', async (_name, key, link, place) => {
    const contact = { kind: 'contact', text: 'The user is locked: an operator unlocks them.' };
    const whole = refusalWhole();
    const now = nowIs({ rule: 'credential', grant: null, fixes: [contact] });
    network({ ...basis, [ONE]: [200, { ...whole, now, key: whole.key && { ...whole.key, ...key } }] });
    open(PATH, 'signed-in');
    const fixes = within(await screen.findByRole('region', { name: 'What helps' }));
    expect(fixes.getByText(contact.text)).toBeTruthy();
    expect(fixes.getByRole('link', { name: link }).getAttribute('href')).toBe(place);
    expect(screen.getByText('Refused by: Credential')).toBeTruthy();
  });

  it('leads to the user whom a plan can be assigned to, where that is theirs to do', async () => {
    let answer = refusalWhole();
    network({ ...basis, [ONE]: () => [200, answer] });
    const loaded = open(PATH, 'signed-in');
    const link = await screen.findByRole('link', { name: 'Assign a plan to this user' });
    expect(link.getAttribute('href')).toBe(`/admin/users/${USER_ID}`);
    answer = refusalWhole({ account: account({ user_id: null, external_id: 'acme' }) });
    await loaded.invalidateQueries();
    await vi.waitFor(() => expect(screen.queryByRole('link', { name: 'Assign a plan to this user' })).toBeNull());
  });

  it('gives nothing to oneself', async () => {
    const own = refusalWhole({ account: account({ user_id: OPERATOR_ID }) });
    network({ ...basis, ...operates(['decisions.read', 'overrides.write', 'plans.assign'], ['billing']), [ONE]: [200, own] });
    open(PATH, 'signed-in');
    const panel = within(await screen.findByRole('region', { name: 'Give what is missing' }));
    expect(panel.getByText(/^This is yourself/)).toBeTruthy();
    expect(screen.queryByRole('link', { name: 'Assign a plan to this user' })).toBeNull();
  });

  it('gives another amount until it is taken back, and says what went wrong', async () => {
    const calls = network({
      ...basis,
      [ONE]: [200, refusalWhole()],
      [GRANT]: problem(409, 'overrides_full', '50 overrides of this account are not over.'),
    });
    open(PATH, 'signed-in');
    const grant = within(await screen.findByRole('region', { name: 'Give what is missing' }));
    const amount = grant.getByLabelText('Jobs more than the plan gives');
    await userEvent.clear(amount);
    await userEvent.type(amount, '0');
    await userEvent.type(grant.getByLabelText('Reason'), 'x');
    await userEvent.click(grant.getByRole('button', { name: 'Grant it' }));
    expect(grant.getByText('Enter a whole number from 1 on.')).toBeTruthy();
    await userEvent.clear(amount);
    await userEvent.type(amount, '1,000');
    await userEvent.selectOptions(grant.getByLabelText('Until'), 'It is taken back');
    await userEvent.click(grant.getByRole('button', { name: 'Grant it' }));
    expect(await grant.findByText(/50 overrides of this account are not over\./)).toBeTruthy();
    expect(calls.find(({ route }) => route === GRANT)?.body).toMatchObject({ amount: 1_000, ends_at: null });
  });

  it('offers nothing to give to who may not, and none where a limit would not help', async () => {
    network({ ...basis, ...operates(['decisions.read', 'stats.read']), [ONE]: [200, refusalWhole()] });
    open(PATH, 'signed-in');
    await screen.findByRole('region', { name: 'What if' });
    expect(screen.queryByRole('button', { name: 'Grant it' })).toBeNull();
  });

  it('is asked again under another plan and with another limit', async () => {
    const calls = network({
      ...basis,
      'GET /v1/subscription/plans': [200, { plans: [{ name: 'enterprise', display_name: 'Enterprise' }] }],
      [ONE]: [200, refusalWhole()],
      [SUPPOSE]: [200, nowIs({ allowed: true, rule: null, plan: 'enterprise', plan_version: 1, used: 0, limit: null, grant: null })],
    });
    open(PATH, 'signed-in');
    const panel = within(await screen.findByRole('region', { name: 'What if' }));
    await panel.findByRole('option', { name: 'Enterprise' });
    await userEvent.selectOptions(panel.getByLabelText('Plan'), 'Enterprise');
    await userEvent.selectOptions(panel.getByLabelText('Limit of Jobs'), 'More than the plan gives');
    await userEvent.click(panel.getByRole('button', { name: 'Ask' }));
    expect(panel.getByText('Enter a whole number from 1 on.')).toBeTruthy();
    await userEvent.type(panel.getByLabelText('Amount'), '5');
    await userEvent.click(panel.getByRole('button', { name: 'Ask' }));
    const table = within(await panel.findByRole('table'));
    const rows = table.getAllByRole('row').slice(1).map((row) => Array.from(row.children, (cell) => cell.textContent));
    expect(rows.slice(0, 3)).toEqual([
      ['Answer', 'Refused by: Quota', 'Allowed'],
      ['Plan', 'pro, version 3', 'enterprise, version 1'],
      ['Used', '550', '0'],
    ]);
    expect(calls.find(({ route }) => route === SUPPOSE)).toMatchObject({
      body: { plan: 'enterprise', override: { kind: 'add', amount: 5 } },
      query: { account_id: ACCOUNT_ID },
    });
    await userEvent.selectOptions(panel.getByLabelText('Limit of Jobs'), 'Unlimited');
    await userEvent.click(panel.getByRole('button', { name: 'Ask' }));
    await vi.waitFor(() =>
      expect(calls.filter(({ route }) => route === SUPPOSE).at(-1)?.body).toEqual({
        plan: 'enterprise',
        override: { kind: 'set', amount: null },
      }),
    );
  });

  it('of a request id of several accounts leads to them all', async () => {
    network({
      ...basis,
      'GET /v1/admin/decisions/mine': problem(409, 'decision_ambiguous', 'Requests of 2 accounts bore this id.'),
      'GET /v1/admin/decisions': [200, { items: [refusal(), refusal({ id: 'b', account: account({ id: 'x' }) })], next: null }],
    });
    open('/admin/decisions/mine', 'signed-in');
    await userEvent.click(await screen.findByRole('link', { name: 'See them all' }));
    expect(await screen.findByRole('table')).toBeTruthy();
    expect(address()).toBe('/admin/decisions?q=mine');
  });
});
