import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { network, open, problem } from '../test/app';
import { denialEvent, usageEvent, wire } from '../test/live';
import { me } from '../test/me';
import { meter, storage } from '../test/meters';
import { series } from '../test/series';

const LIVE = 'GET /v1/usage/live';
const answers = {
  'GET /v1/auth/me': [200, me()],
  'GET /v1/usage/series': [200, series()],
  'GET /v1/subscription/usage': [200, { usage: {}, meters: [meter(), storage] }],
} as const;

/** What is answered to who begins, and then, each once, to who goes on from there. */
const stream = (first: string, ...later: string[]) => {
  const asked: (string | null)[] = [];
  network({ ...answers, [LIVE]: () => [200, asked.at(-1) === null ? first : (later.shift() ?? ': quiet\n\n')] });
  const fetched = globalThis.fetch;
  vi.stubGlobal('fetch', (request: Request) => {
    if (request.url.endsWith('/live')) asked.push(request.headers.get('Last-Event-ID'));
    return fetched(request);
  });
  return { asked };
};

const lines = async () => {
  const table = within(await screen.findByRole('table', { name: 'Usage and refusals in the order they came in, newest first' }));
  return table.getAllByRole('row').slice(1).map((row) => row.textContent);
};

describe('the live view', () => {
  it('shows usage and refusals in words, in the order they came in', async () => {
    const stored = usageEvent({ id: '019ab000-0000-7000-8000-000000000000', meter: 'storage', amount: -2_000_000 });
    stream(wire(stored, usageEvent(), denialEvent({ count: 1_204 })));
    open('/app/live', 'signed-in');
    expect((await screen.findByRole('heading', { level: 1 })).textContent).toBe('Live');
    const [denial, jobs, storageLine] = await lines();
    expect(denial).toContain('Refused · Jobs: the limit is reached');
    expect(denial).toContain('8 of 10 used · 1,204 times · POST /v1/usage/consume · key …c0ffee12 · request req_9');
    expect(denial).toContain('3 asked');
    const why = screen.getByRole('link', { name: /^Why\? Refused · Jobs: the limit is reached, .*14:03:13$/ });
    expect(why.getAttribute('href')).toBe('/app/requests/019ab000-0000-7000-8000-000000000002');
    expect(jobs).toMatch(/Jobsspent\+3$/);
    expect(storageLine).toMatch(/Storagespent-2 MB$/);
    expect(screen.getByText(/^In the order it came in, newest first\. Times are those of Berlin and say when it took place\.$/)).toBeTruthy();
    expect(screen.queryByText(/^No more than the newest/)).toBeNull();
  });

  it('says which minute calls are of, and what a correction was', async () => {
    const bytes = { meter: 'storage', source: 'retraction' };
    stream(
      wire(
        usageEvent({ id: 'a', meter: 'api_calls', source: 'journal', amount: 41, occurred_at: '2026-11-23T01:34:00Z' }),
        usageEvent({ id: 'b', source: 'retraction', amount: 6 }),
        usageEvent({ id: 'c', ...bytes, amount: -5 }),
        denialEvent({ id: 'd', meter: 'storage', requested: 5, used: 0, limit: 1 }),
      ),
    );
    open('/app/live', 'signed-in');
    const [denial, back, up, calls] = await lines();
    expect(denial).toMatch(/5 bytes asked$/);
    expect(back).toMatch(/Storagetaken back-5 bytes$/);
    expect(up).toMatch(/Jobscorrected by \+6\+6$/);
    expect(calls).toMatch(/API callsspent · in the minute from 02:34\+41$/);
  });

  it('says that older lines have left the list', async () => {
    stream(wire(...Array.from({ length: 250 }, (_, index) => usageEvent({ id: String(1_000 + index) }))));
    open('/app/live', 'signed-in');
    expect(await lines()).toHaveLength(200);
    expect(screen.getByText(/^No more than the newest 200 are shown: older ones leave this list\./)).toBeTruthy();
  });

  it('goes on where it was when the stream ends, and shows each once', async () => {
    const later = usageEvent({ id: '019ab000-0000-7000-8000-000000000003', amount: 7 });
    const { asked } = stream(wire(usageEvent()), wire(usageEvent(), later));
    open('/app/live', 'signed-in');
    expect(await lines()).toHaveLength(1);
    await vi.waitFor(async () => expect(await lines()).toHaveLength(2), { timeout: 5_000 });
    expect(asked.at(-1)).toMatch(/^019ab000-.*\.[37]$/);
    expect(asked).toContain('019ab000-0000-7000-8000-000000000001.3');
  });

  it('says what to do where nothing happens', async () => {
    stream(': quiet\n\n');
    open('/app/live', 'signed-in');
    await userEvent.click(await screen.findByRole('button', { name: 'Pause' }));
    expect(screen.getByText(/^Nothing has happened in the last 15 minutes/)).toBeTruthy();
    expect(screen.getByText(/^curl -X POST http.*\/v1\/usage\/consume/)).toBeTruthy();
    expect(screen.getByText(/^Paused\./).getAttribute('role')).toBe('status');
  });

  it('asks nothing while it is paused, and goes on', async () => {
    const { asked } = stream(wire(usageEvent()));
    open('/app/live', 'signed-in');
    await lines();
    await userEvent.click(screen.getByRole('button', { name: 'Pause' }));
    const before = asked.length;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(asked).toHaveLength(before);
    await userEvent.click(screen.getByRole('button', { name: 'Go on' }));
    await vi.waitFor(() => expect(asked.length).toBeGreaterThan(before));
    expect(asked.at(-1)).toBe('019ab000-0000-7000-8000-000000000001.3');
    expect(await lines()).toHaveLength(1);
  });

  it('says that something is missing', async () => {
    stream(wire({ kind: 'gap', id: null, data: '{"reason":"too_old"}' }, usageEvent()));
    open('/app/live', 'signed-in');
    expect(await screen.findByText('Something is missing here')).toBeTruthy();
  });

  it('says why it is refused, and does not ask again', async () => {
    const calls = network({ ...answers, [LIVE]: () => problem(403, 'role_missing', 'Your role may not.') });
    open('/app/live', 'signed-in');
    expect(await screen.findByText('The live view could not be opened')).toBeTruthy();
    expect(screen.queryByRole('button', { name: 'Pause' })).toBeNull();
    const before = calls.filter(({ route }) => route === LIVE).length;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(calls.filter(({ route }) => route === LIVE)).toHaveLength(before);
  });

  it('says that it is interrupted, and why, and tries again', async () => {
    let works = false;
    network({
      ...answers,
      [LIVE]: () => (works ? [200, wire(usageEvent())] : problem(429, 'concurrency_limited', '5 live views are open.')),
    });
    open('/app/live', 'signed-in');
    expect(await screen.findByText('Too many live views are open')).toBeTruthy();
    expect(screen.getByText(/^Close one in another tab/)).toBeTruthy();
    expect(screen.queryByText(/What you see is from before/)).toBeNull();
    expect(screen.getByText(/^Reconnecting/)).toBeTruthy();
    works = true;
    await vi.waitFor(async () => expect(await lines()).toHaveLength(1), { timeout: 5_000 });
  });
});

describe('the usage', () => {
  it('is loaded anew with another limit, for what was told of the last one', async () => {
    const told = { as_of: '2099-01-01T00:00:00Z', meters: [{ meter: 'jobs', used: 4, held: 0, limit: 500, remaining: 496 }] };
    let upgraded = false;
    network({
      ...answers,
      'GET /v1/subscription/usage': () => {
        const jobs = upgraded ? meter({ limit: 500, remaining: 496 }) : meter({ notice_percent: 80 });
        return [200, { usage: {}, meters: [jobs] }];
      },
      [LIVE]: () => [200, upgraded ? wire({ kind: 'meters', id: null, data: JSON.stringify(told) }) : ': quiet\n\n'],
    });
    open('/app/usage', 'signed-in');
    expect(await screen.findByText(/^Jobs: .* used$/)).toBeTruthy();
    upgraded = true;
    // Before it would be asked for again by itself.
    await vi.waitFor(() => expect(screen.queryByText(/^Jobs: .* used$/)).toBeNull(), { timeout: 4_000 });
    expect(screen.getByText('4 of 500')).toBeTruthy();
  });

  it('moves with the counters', async () => {
    const told = { as_of: '2099-01-01T00:00:00Z', meters: [{ meter: 'jobs', used: 9, held: 1, limit: 10, remaining: 0 }] };
    stream(wire({ kind: 'meters', id: null, data: JSON.stringify(told) }));
    open('/app/usage', 'signed-in');
    expect(await screen.findByText('9 of 10')).toBeTruthy();
    expect(screen.getByText('84.2 MB now, of 100 MB')).toBeTruthy();
  });
});
