import { screen, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { Refusal } from '../../api/types';
import { network, open, problem } from '../../test/app';
import { operates } from '../../test/operators';
import { byCode } from './refusalsByCode';

const STATS = 'GET /v1/admin/stats';
const stats = (changes: object = {}) =>
  [
    200,
    {
      as_of: '2026-11-23T13:05:00Z',
      total_users: 8,
      active_users: 6,
      unverified_users: 1,
      suspended_users: 1,
      superadmins: 1,
      users_with_mfa: 3,
      total_sessions: 20,
      active_sessions: 5,
      subscriptions_by_plan: { pro: 2, business: 1 },
      total_active_subscriptions: 3,
      total_api_calls: 12_345,
      total_jobs_created: 67,
      total_storage_mb: 8,
      mrr_cents: 3_800,
      mrr_by_currency: { usd: 3_800, jpy: 1_999 },
      ...changes,
    },
  ] as const;

const refusal = (code: string, count: number, at: string) => ({ id: at, code, count, last_at: at }) as Refusal;
const refusals = [
  refusal('rate_limited', 3, '2026-11-23T13:00:00Z'),
  refusal('quota_exceeded', 1, '2026-11-23T12:00:00Z'),
  refusal('rate_limited', 40, '2026-11-23T11:00:00Z'),
  refusal('of_tomorrow', 1, '2026-11-23T10:00:00Z'),
];

const cells = (table: string) =>
  within(screen.getByRole('table', { name: table }))
    .getAllByRole('row')
    .slice(1)
    .map((row) => Array.from(row.children, ({ textContent }) => textContent));

describe('the overview of the platform', () => {
  it('has the figures of a moment as tables', async () => {
    network({ ...operates(['stats.read']), [STATS]: stats() });
    open('/admin', 'signed-in');
    expect(await screen.findByRole('heading', { name: 'Platform overview', level: 1 })).toBeTruthy();
    expect(await screen.findByText(/As of .*14:05:00 Berlin/)).toBeTruthy();
    expect(cells('Users')).toEqual([
      ['All users', '8', ''],
      ['Active', '6', '75%'],
      ['Unconfirmed', '1', '12.5%'],
      ['Locked', '1', '12.5%'],
      ['With two factors', '3', '37.5%'],
      ['Superadmins', '1', '12.5%'],
      ['Live sessions', '5', ''],
    ]);
    expect(cells('Subscriptions by plan')).toEqual([
      ['pro', '2'],
      ['business', '1'],
      ['Total', '3'],
    ]);
    expect(cells('Monthly recurring revenue')).toEqual([
      ['USD', '$38.00'],
      ['JPY', '¥1,999'],
    ]);
    expect(cells('Usage')).toEqual([
      ['API calls', '12,345'],
      ['Jobs', '67'],
      ['Storage, in MB', '8'],
    ]);
    expect(screen.getByText('Calls and jobs of all accounts since the beginning; storage as it is now.')).toBeTruthy();
    expect(screen.queryByText('Newest refusals, by code')).toBeNull();
  });

  it('says what there is not yet', async () => {
    const nothing = { total_users: 0, subscriptions_by_plan: {}, total_active_subscriptions: 0, mrr_by_currency: {} };
    network({
      ...operates(),
      [STATS]: stats(nothing),
      'GET /v1/admin/decisions': [200, { items: [], next: null }],
    });
    open('/admin', 'signed-in');
    expect(await screen.findByText('No live subscription has a price.')).toBeTruthy();
    expect(screen.getByText('Nobody has a subscription yet: all are on the default plan.')).toBeTruthy();
    expect(await screen.findByText('Nothing was refused in the time that is kept.')).toBeTruthy();
    expect(document.body.textContent).not.toContain('NaN');
  });

  it('has the newest refusals by their code, with the way to them', async () => {
    network({
      ...operates(),
      [STATS]: problem(500, 'internal_error', 'Broken.'),
      'GET /v1/admin/decisions': [200, { items: refusals, next: null }],
    });
    open('/admin', 'signed-in');
    const link = await screen.findByRole('link', { name: 'Too many requests' });
    expect(link.getAttribute('href')).toBe('/admin/decisions?code=rate_limited');
    expect(screen.getByRole('link', { name: 'of_tomorrow' }).getAttribute('href')).toBe('/admin/decisions');
    expect(cells('Newest refusals, by code').map(([code, times]) => [code, times])).toEqual([
      ['Too many requests', '43'],
      ['The limit is reached', '1'],
      ['of_tomorrow', '1'],
    ]);
    expect(screen.getByText('The figures could not be loaded')).toBeTruthy();
    expect(screen.getByText('Of the newest 4 lines of the log of refusals.')).toBeTruthy();
  });

  it('does not speak of one refusal as of several', async () => {
    network({ ...operates(), [STATS]: stats(), 'GET /v1/admin/decisions': [200, { items: refusals.slice(0, 1), next: null }] });
    open('/admin', 'signed-in');
    expect(await screen.findByText('Of the one line of the log of refusals.')).toBeTruthy();
  });
});

it('counts refusals by code, whatever their order', () => {
  expect(byCode([...refusals].reverse())[0]).toEqual({
    code: 'rate_limited',
    times: 43,
    newestAt: '2026-11-23T13:00:00Z',
  });
  expect(byCode([])).toEqual([]);
});
