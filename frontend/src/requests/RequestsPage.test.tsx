import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { address, network, open, problem, type Call } from '../test/app';
import { DECISION, denial, explained } from '../test/decisions';
import { me } from '../test/me';
import { meter, storage } from '../test/meters';

const LIST = 'GET /v1/decisions';
const ONE = `GET /v1/decisions/${DECISION}`;
const basis = {
  'GET /v1/auth/me': [200, me()],
  'GET /v1/subscription/usage': [200, { usage: {}, meters: [meter(), storage] }],
} as const;
const page = (items: object[], next: string | null = null) => [200, { items, next }] as const;
const asked = (calls: readonly Call[]) => calls.filter(({ route }) => route === LIST).map(({ query }) => query);

const lines = async () => {
  const table = within(await screen.findByRole('table', { name: 'Refused requests, newest first' }));
  return table.getAllByRole('row').slice(1).map((row) => row.textContent);
};

describe('the refused requests', () => {
  it('are listed with their numbers, and older ones on demand', async () => {
    const bytes = denial({ id: 'b', meter: 'storage', used: 90_000_000, limit: 100_000_000, requested: 20_000_000, count: 1_204 });
    const calls = network({
      ...basis,
      [LIST]: ({ query }) => (query.after === 'b' ? page([denial({ id: 'c', code: 'rate_limited', meter: null, used: null, limit: 100 })]) : page([denial(), bytes], 'b')),
    });
    open('/app/requests', 'signed-in');
    expect((await screen.findByRole('heading', { level: 1 })).textContent).toBe('Refused requests');
    const [jobs, storageLine] = await lines();
    expect(jobs).toContain('Jobs: the limit is reached549 of 550 used · 1 asked · POST /v1/usage/consume · req_01JDonce');
    expect(storageLine).toContain('90 MB of 100 MB used · 20 MB asked');
    expect(storageLine).toMatch(/1,204 times$/);
    await userEvent.click(screen.getByRole('button', { name: 'Show older ones' }));
    await vi.waitFor(async () => expect(await lines()).toHaveLength(3));
    expect(screen.getByText('Too many requests in a short time')).toBeTruthy();
    expect(screen.queryByRole('button', { name: 'Show older ones' })).toBeNull();
    expect(asked(calls).at(-1)).toEqual({ limit: '50', after: 'b' });
  });

  it('are filtered by what the address says, and the address says what is chosen', async () => {
    const calls = network({ ...basis, [LIST]: page([]) });
    open('/app/requests?code=quota_exceeded&from=2026-11-23&until=2026-11-23&meter=jobs&wrong=1', 'signed-in');
    expect(await screen.findByText('Nothing was refused that these filters let through.')).toBeTruthy();
    await vi.waitFor(() =>
      expect(asked(calls).at(-1)).toEqual({
        limit: '50',
        code: 'quota_exceeded',
        meter: 'jobs',
        from: '2026-11-22T23:00:00.000Z',
        to: '2026-11-23T23:00:00.000Z',
      }),
    );
    await userEvent.selectOptions(screen.getByLabelText('Meter'), 'Storage');
    await vi.waitFor(() => expect(asked(calls).at(-1)?.meter).toBe('storage'));
    expect(address()).toBe('/app/requests?code=quota_exceeded&meter=storage&from=2026-11-23&until=2026-11-23');
    await userEvent.selectOptions(screen.getByLabelText('Why'), '');
    await vi.waitFor(() => expect(address()).toBe('/app/requests?meter=storage&from=2026-11-23&until=2026-11-23'));
    await userEvent.click(screen.getByRole('button', { name: 'Show all' }));
    expect(await screen.findByText(/^Nothing was refused\. When a limit stops/)).toBeTruthy();
    expect(address()).toBe('/app/requests');
  });

  it('leave out of the address what is no filter', async () => {
    const calls = network({ ...basis, [LIST]: page([]) });
    open('/app/requests?code=x&from=2026-02-30&until=', 'signed-in');
    await screen.findByText(/^Nothing was refused\. /);
    expect(asked(calls).at(-1)).toEqual({ limit: '50' });
  });

  it('say when they could not be loaded, and are asked for again', async () => {
    let works = false;
    network({ ...basis, [LIST]: () => (works ? page([denial()]) : problem(503, 'temporarily_unavailable', 'Not now.')) });
    open('/app/requests', 'signed-in');
    expect(await screen.findByText('The refused requests could not be loaded')).toBeTruthy();
    works = true;
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await lines()).toHaveLength(1);
  });

  it('are found by an id', async () => {
    network({ ...basis, [LIST]: page([]), 'GET /v1/decisions/req_01JD': [200, explained()] });
    open('/app/requests', 'signed-in');
    await userEvent.click(await screen.findByRole('button', { name: 'Open it' }));
    expect(screen.getByText('Enter the id of a request or of a decision.')).toBeTruthy();
    await userEvent.type(screen.getByLabelText('Request or decision id'), ' req_01JD ');
    await userEvent.click(screen.getByRole('button', { name: 'Open it' }));
    expect((await screen.findByRole('heading', { level: 1 })).textContent).toBe('Why was this denied?');
    expect(address()).toBe('/app/requests/req_01JD');
  });
});

describe('a refusal', () => {
  it('is explained rule by rule, then and now, with what helps', async () => {
    network({ ...basis, [ONE]: [200, explained()] });
    open(`/app/requests/${DECISION}`, 'signed-in');
    const rules = within(await screen.findByRole('table', { name: /^Each rule/ }));
    const said = rules.getAllByRole('row').slice(1).map((row) => row.textContent);
    expect(said).toHaveLength(6);
    expect(said[4]).toBe('5 QuotaJobs: plan 500 + override 50 = 550; used 549, held 1; asked 1FAIL');
    expect(said[3]).toMatch(/pass$/);
    expect(said[5]).toMatch(/^6 Spend capnot reached$/);
    const compared = within(screen.getByRole('table', { name: /^The numbers as of then/ }));
    const rows = compared.getAllByRole('row').slice(1).map((row) => Array.from(row.children, (cell) => cell.textContent));
    expect(rows).toEqual([
      ['Answer', 'Refused by: Quota', 'Refused by: Quota'],
      ['Plan', 'pro, version 3', 'pro, version 3'],
      ['Used', '549', '550'],
      ['Held', '1', '0'],
      ['Limit', '550', '550'],
      ['Asked', '1', '1'],
      ['Resets', '1 Dec, 00:00 Berlin', '1 Dec, 00:00 Berlin'],
    ]);
    const fixes = within(screen.getByRole('region', { name: 'What helps' }));
    expect(fixes.getAllByRole('listitem').map((item) => item.textContent)).toEqual([
      'Wait until 1 Dec, 00:00 Berlin.',
      'Move to Enterprise.',
    ]);
    expect(fixes.getByRole('link', { name: 'See the usage' }).getAttribute('href')).toBe('/app/usage/jobs');
    expect(fixes.getByRole('link', { name: 'See the plans' }).getAttribute('href')).toBe('/app/plans');
    expect(screen.getByText('req_01JD')).toBeTruthy();
    expect(screen.queryByText('How often')).toBeNull();
  });

  it('says how many there were, and until when', async () => {
    const ids = ['req_a', '<script>alert(1)</script>'];
    network({ ...basis, [ONE]: [200, explained({ count: 1_204, last_at: '2026-11-23T13:03:13Z', request_ids: ids })] });
    open(`/app/requests/${DECISION}`, 'signed-in');
    expect(await screen.findByText('1,204 times, all alike. The numbers are those of the first.')).toBeTruthy();
    expect(screen.getByText(/14:03:12 to .*14:03:13 Berlin$/)).toBeTruthy();
    expect(screen.getByText('Request ids of the first 2 of 1,204')).toBeTruthy();
    expect(screen.getByText('<script>alert(1)</script>')).toBeTruthy();
  });

  it('says that nothing is needed any more after an upgrade', async () => {
    const now = { ...explained().now, allowed: true, rule: null, plan: 'enterprise', limit: null, fixes: [] };
    network({ ...basis, [ONE]: [200, explained({ now })] });
    open(`/app/requests/${DECISION}`, 'signed-in');
    expect(await screen.findByText('Nothing is needed: the same request would be allowed now.')).toBeTruthy();
    expect(screen.getByRole('row', { name: 'Limit 550 unlimited' })).toBeTruthy();
    expect(screen.getByRole('row', { name: 'Answer Refused by: Quota Allowed' })).toBeTruthy();
  });

  it('of a rate limit says that only the request can tell', async () => {
    const rate = { rule: 'rate', outcome: 'failed', scope: 'api', limit: 100, per_seconds: 60, burst: 100, remaining: 0 };
    const now = { ...explained().now, allowed: null, rule: null, used: null, held: null, limit: 100, remaining: null, resets_at: null, fixes: [] };
    const changes = { code: 'rate_limited', scope: 'api', meter: null, used: null, held: null, limit: 100 };
    network({ ...basis, [ONE]: [200, explained({ ...changes, rules: [rate], now })] });
    open(`/app/requests/${DECISION}`, 'signed-in');
    expect(await screen.findByText(/^Send it again: a rate limit/)).toBeTruthy();
    expect(screen.getByRole('row', { name: 'Left 0 –' })).toBeTruthy();
    expect(screen.getByRole('link', { name: 'See the limits' })).toBeTruthy();
  });

  it('is waited for, for it is written down a moment later', async () => {
    let answers = 0;
    network({
      ...basis,
      [ONE]: () => {
        answers += 1;
        return answers < 3 ? problem(404, 'decision_unknown', 'Not yet.') : [200, explained()];
      },
    });
    open(`/app/requests/${DECISION}`, 'signed-in');
    expect(await screen.findByRole('table', { name: /^Each rule/ })).toBeTruthy();
    expect(screen.queryByText('There is no such refusal')).toBeNull();
  });

  it('that is unknown is said to be, with the way back', async () => {
    network({ ...basis, 'GET /v1/decisions/nothing': problem(404, 'decision_unknown', 'No.') });
    open('/app/requests/nothing', 'signed-in');
    expect(await screen.findByText('There is no such refusal')).toBeTruthy();
    expect(screen.getByRole('link', { name: 'All refused requests' })).toBeTruthy();
  });
});
