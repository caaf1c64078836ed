import { act, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { rateLimitsQuery } from '../api/queries';
import { network, open, problem } from '../test/app';
import { me } from '../test/me';
import { meter } from '../test/meters';
import { rateLimits } from '../test/plans';

const RATES = 'GET /v1/subscription/rate-limits';
const usage = { period_start: '2026-10-31T23:00:00Z', period_end: '2026-11-30T23:00:00Z' };
const answers = {
  'GET /v1/auth/me': [200, me()],
  'GET /v1/subscription/usage': [200, { usage, meters: [meter({ held: 1 })] }],
  [RATES]: [200, rateLimits()],
} as const;

const short = async () => within(await screen.findByRole('region', { name: 'In a short time' }));

describe('the limits', () => {
  it('show each quota and each rate limit with its state', async () => {
    network(answers);
    open('/app/limits', 'signed-in');
    expect((await screen.findByRole('heading', { level: 1 })).textContent).toBe('Limits');
    const quotas = within(screen.getByRole('region', { name: 'Quotas' }));
    expect(await quotas.findByText('4 of 10')).toBeTruthy();
    expect(quotas.getByText('1 held')).toBeTruthy();
    const rates = await short();
    const [requests, jobs] = (await rates.findAllByRole('term')).map((term) => term.parentElement!);
    expect(requests!.textContent).toContain('API requests');
    expect(requests!.textContent).toContain('100 in 60 seconds, 50 at once');
    expect(within(requests!).getByText('47')).toBeTruthy();
    expect(jobs!.textContent).toContain('Jobs at once');
    expect(within(jobs!).getByText('3')).toBeTruthy();
  });

  it('say that reading them is a request itself', async () => {
    network(answers);
    open('/app/limits', 'signed-in');
    expect(await (await short()).findByText(/counts as one/)).toBeTruthy();
  });

  it('are asked for again every 15 seconds', () => {
    expect(rateLimitsQuery.refetchInterval).toBe(15_000);
  });

  it('show the quotas when the rate limits are not there, and the rate limits on another try', async () => {
    let works = false;
    network({ ...answers, [RATES]: () => (works ? [200, rateLimits()] : problem(500, 'internal', 'Broken.')) });
    open('/app/limits', 'signed-in');
    const alert = within(await (await short()).findByRole('alert'));
    expect(alert.getByText('Your rate limits could not be loaded')).toBeTruthy();
    expect(alert.getByText('req_1')).toBeTruthy();
    expect(await screen.findByText('4 of 10')).toBeTruthy();
    works = true;
    await userEvent.click(alert.getByRole('button', { name: 'Try again' }));
    expect(await (await short()).findByText('47')).toBeTruthy();
  });

  it('stay when they cannot be refreshed, and say from when they are', async () => {
    let works = true;
    network({ ...answers, [RATES]: () => (works ? [200, rateLimits()] : problem(503, 'temporarily_unavailable', 'Busy.')) });
    const loaded = open('/app/limits', 'signed-in');
    await (await short()).findByText('47');
    works = false;
    await act(() => loaded.refetchQueries({ queryKey: rateLimitsQuery.queryKey }));
    await vi.waitFor(() => expect(screen.getByText(/^As of .*could not be refreshed/)).toBeTruthy());
    expect((await short()).getByText('47')).toBeTruthy();
  });
});
