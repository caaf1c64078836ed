import { act, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { address, network, open, problem, type Call } from '../test/app';
import { savedFiles } from '../test/files';
import { me } from '../test/me';
import { meter, storage } from '../test/meters';
import { series, steps } from '../test/series';

const USAGE = 'GET /v1/subscription/usage';
const SERIES = 'GET /v1/usage/series';
const CSV = 'GET /v1/usage/export.csv';
const KEY = '0199f0aa-0000-7000-8000-0000c0ffee12';
const start = '2026-11-20T23:00:00Z';
const keys = [
  { start, key_id: null, key_name: null, key_prefix: null, amount: 2 },
  { start, key_id: KEY, key_name: 'Laptop', key_prefix: 'fk_live_d1mdvki9', amount: 9 },
  { start, key_id: `${KEY.slice(0, -1)}3`, key_name: null, key_prefix: null, amount: 1 },
];

/** Steps and keys as they are asked for. */
function answer({ query }: Call) {
  const step = query.step as 'hour' | 'day' | 'month';
  return [200, series({ step, keys: query.by_key === 'true' ? keys : null })] as const;
}

const answers = {
  'GET /v1/auth/me': [200, me()],
  [USAGE]: [200, { usage: {}, meters: [meter(), storage] }],
  [SERIES]: answer,
} as const;

const table = (name: string) => screen.findByRole('table', { name });
const lines = (found: HTMLElement) =>
  within(found)
    .getAllByRole('row')
    .map((row) => Array.from(row.children, (cell) => cell.textContent));
const asked = (calls: readonly Call[], route = SERIES) =>
  calls.filter((call) => call.route === route).map(({ query }) => query);

describe('one meter', () => {
  it('shows its bar, and its usage of 28 days with the same numbers in the chart and in the table', async () => {
    const calls = network(answers);
    open('/app/usage/jobs', 'signed-in');
    expect(await screen.findByRole('heading', { level: 1, name: 'Jobs' })).toBeTruthy();
    expect(await screen.findByRole('meter', { name: 'Jobs' })).toBeTruthy();
    expect(screen.queryByRole('meter', { name: 'Storage' })).toBeNull();
    const shown = await table('Jobs, last 28 days');
    expect(lines(shown)).toEqual([
      ['Day', 'Used'],
      ['23 Nov, so far', '7'],
      ['22 Nov', '0'],
      ['21 Nov', '4'],
      ['Total', '11'],
    ]);
    const bars = Array.from(document.querySelectorAll('svg rect title'), (bar) => bar.textContent);
    expect(bars).toEqual(['21 Nov: 4', '22 Nov: 0', '23 Nov: 7']);
    expect(document.querySelector('svg rect')?.closest('[aria-hidden="true"]')).toBeTruthy();
    expect(screen.getByText(/^As of .*14:03:12\. Hours, days and months are those of Berlin\.$/)).toBeTruthy();
    expect(asked(calls)[0]).toEqual({ meter: 'jobs', from: '2026-10-27', step: 'day', by_key: 'false' });
  });

  it('shows of a gauge the level, and what changed it', async () => {
    const points = steps(start, [500, -200, 0], [1_500, 1_300, 1_300]);
    network({ ...answers, [SERIES]: [200, series({ meter: 'storage', unit: 'byte', points })] });
    open('/app/usage/storage', 'signed-in');
    expect(lines(await table('Storage, last 28 days'))).toEqual([
      ['Day', 'Level', 'Change'],
      ['23 Nov, so far', '1.3 kB', '0 MB'],
      ['22 Nov', '1.3 kB', '-200 bytes'],
      ['21 Nov', '1.5 kB', '500 bytes'],
    ]);
    expect(document.querySelector('svg rect title')?.textContent).toBe('21 Nov: 1.5 kB');
  });

  it.each([
    ['24h', '24 hours', 'hour', '2026-11-22T14:00:00.000Z'],
    ['7d', '7 days', 'day', '2026-11-17'],
    ['12m', '12 months', 'month', '2025-12-01'],
  ])('shows the period %s that the address names', async (period, name, step, from) => {
    const calls = network(answers);
    open(`/app/usage/jobs?period=${period}`, 'signed-in');
    expect(await table(`Jobs, last ${name}`)).toBeTruthy();
    expect(screen.getByRole<HTMLInputElement>('radio', { name }).checked).toBe(true);
    expect(asked(calls)[0]).toMatchObject({ step, from });
  });

  it('keeps the chosen period in the address, and goes by 28 days where that names none it knows', async () => {
    network(answers);
    open('/app/usage/jobs?period=fortnight', 'signed-in');
    expect(await table('Jobs, last 28 days')).toBeTruthy();
    await userEvent.click(screen.getByRole('radio', { name: '7 days' }));
    expect(await table('Jobs, last 7 days')).toBeTruthy();
    expect(address()).toBe('/app/usage/jobs?period=7d');
  });

  it('shows the sums of the keys when the address or the switch says so', async () => {
    const calls = network(answers);
    open('/app/usage/jobs?period=7d', 'signed-in');
    await table('Jobs, last 7 days');
    await userEvent.click(screen.getByRole('switch', { name: 'By key' }));
    expect(lines(await table('Jobs by key, last 7 days'))).toEqual([
      ['Key', 'Used'],
      ['Laptop fk_live_d1mdvki9…', '9'],
      ['Without a key', '2'],
      ['…c0ffee13', '1'],
      ['Total', '12'],
    ]);
    expect(address()).toBe('/app/usage/jobs?period=7d&by=key');
    expect(asked(calls).at(-1)).toMatchObject({ by_key: 'true' });
    await userEvent.click(screen.getByRole('switch', { name: 'By key' }));
    await vi.waitFor(() => expect(screen.queryByRole('table', { name: /by key/ })).toBeNull());
    expect(address()).toBe('/app/usage/jobs?period=7d');
  });

  it('keeps the chart when the keys cannot be loaded', async () => {
    const broken = (call: Call) => (call.query.by_key === 'true' ? problem(500, 'internal', 'Broken.') : answer(call));
    network({ ...answers, [SERIES]: broken });
    open('/app/usage/jobs?by=key', 'signed-in');
    expect(await screen.findByText('Usage by key could not be loaded')).toBeTruthy();
    expect(await table('Jobs, last 28 days')).toBeTruthy();
  });

  it('says that nothing was counted, beside the zeros', async () => {
    network({ ...answers, [SERIES]: [200, series({ points: steps(start, [0, 0]) })] });
    open('/app/usage/jobs', 'signed-in');
    expect(await screen.findByText(/^Nothing was counted in this time\./)).toBeTruthy();
    expect(await table('Jobs, last 28 days')).toBeTruthy();
  });

  it('shows the bar when usage over time is not there, and that on another try', async () => {
    let works = false;
    network({ ...answers, [SERIES]: (call) => (works ? answer(call) : problem(500, 'internal', 'Broken.')) });
    open('/app/usage/jobs', 'signed-in');
    const alert = within(await screen.findByRole('alert'));
    expect(alert.getByText('Usage over time could not be loaded')).toBeTruthy();
    expect(alert.getByText('req_1')).toBeTruthy();
    expect(screen.getByText('4 of 10')).toBeTruthy();
    works = true;
    await userEvent.click(alert.getByRole('button', { name: 'Try again' }));
    expect(await table('Jobs, last 28 days')).toBeTruthy();
  });

  it('keeps usage over time when it cannot be refreshed, and says from when it is', async () => {
    let works = true;
    network({ ...answers, [SERIES]: (call) => (works ? answer(call) : problem(503, 'temporarily_unavailable', 'Busy.')) });
    const loaded = open('/app/usage/jobs', 'signed-in');
    await table('Jobs, last 28 days');
    works = false;
    await act(() => loaded.refetchQueries({ queryKey: ['account', 'series'] }));
    expect(await screen.findByText(/^Usage over time as of .*; it could not be refreshed/)).toBeTruthy();
    expect(await table('Jobs, last 28 days')).toBeTruthy();
  });

  it('says that a meter is unknown, and leads back', async () => {
    const calls = network(answers);
    open('/app/usage/jbos', 'signed-in');
    expect(await screen.findByRole('heading', { level: 1, name: 'There is no such meter' })).toBeTruthy();
    expect(screen.getByText(/counts nothing by the name jbos/)).toBeTruthy();
    expect(asked(calls)).toEqual([]);
    await userEvent.click(screen.getByRole('link', { name: 'All meters' }));
    expect(await screen.findByRole('heading', { level: 1, name: 'Usage' })).toBeTruthy();
  });

  it('says once why nothing is known about it', async () => {
    network({ ...answers, [USAGE]: null });
    open('/app/usage/jobs', 'signed-in');
    expect(await screen.findByText('Your usage could not be loaded')).toBeTruthy();
    expect(screen.getAllByRole('alert')).toHaveLength(1);
    expect(screen.queryByRole('region', { name: 'Over time' })).toBeNull();
  });
});

describe('the events as a file', () => {
  it('are fetched as the signed-in user for the shown period, and saved', async () => {
    const saved = savedFiles();
    const calls = network({ ...answers, [CSV]: [200, 'id,amount\na,1\n'] });
    open('/app/usage/jobs?period=7d', 'signed-in');
    await table('Jobs, last 7 days');
    await userEvent.click(screen.getByRole('button', { name: 'Download CSV' }));
    expect(await screen.findByText(/^usage-jobs-7d\.csv is downloaded/)).toBeTruthy();
    expect(asked(calls, CSV)).toEqual([{ meter: 'jobs', from: '2026-11-17' }]);
    expect(saved.map(({ name }) => name)).toEqual(['usage-jobs-7d.csv']);
    expect(await saved[0]?.content.text()).toBe('id,amount\na,1\n');
  });

  it('are refused with the reason and the request id', async () => {
    network({ ...answers, [CSV]: problem(429, 'rate_limited', 'Too many.') });
    open('/app/usage/jobs', 'signed-in');
    await table('Jobs, last 28 days');
    await userEvent.click(screen.getByRole('button', { name: 'Download CSV' }));
    const alert = within(await screen.findByRole('alert'));
    expect(alert.getByText('Nothing was downloaded')).toBeTruthy();
    expect(alert.getByText('req_1')).toBeTruthy();
  });
});
