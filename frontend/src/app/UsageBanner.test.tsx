import { focusManager } from '@tanstack/react-query';
import { act, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { noticedUsageQuery, usageQuery } from '../api/queries';
import type { UsageAnswer } from '../api/types';
import { address, network, open } from '../test/app';
import { me } from '../test/me';
import { meter, storage } from '../test/meters';

const USAGE = 'GET /v1/subscription/usage';
const jobs = meter({ used: 10, remaining: 0, notice_percent: 100, blocked_since: '2026-11-23T13:03:00Z' });
const near = { ...storage, notice_percent: 80 } as const;
const answers = (meters: readonly object[]) =>
  ({
    'GET /v1/auth/me': [200, me()],
    [USAGE]: [200, { usage: { period_start: '2026-10-31T23:00:00Z' }, meters }],
  }) as const;

const banner = async (title: RegExp) => {
  const found = (await screen.findByText(title)).closest('[role="status"]');
  if (!(found instanceof HTMLElement)) throw new Error('It would interrupt a screen reader.');
  return within(found);
};

afterEach(() => focusManager.setFocused(undefined));

describe('the banner of usage', () => {
  it('says on every page what is refused, since when and until when, and what to do', async () => {
    network(answers([jobs, near]));
    open('/app/settings/profile', 'signed-in');
    const notice = await banner(/^Jobs: more has been refused since 14:03$/);
    expect(notice.getByText('10 of 10. The count resets 1 Dec, 00:00 Berlin.')).toBeTruthy();
    await userEvent.click(notice.getByRole('link', { name: 'See plans' }));
    expect(address()).toBe('/app/plans');
    await userEvent.click((await banner(/^Jobs:/)).getByRole('link', { name: 'See usage' }));
    expect(address()).toBe('/app/usage');
    const there = await banner(/^Jobs:/);
    expect(there.queryByRole('link', { name: 'See usage' })).toBeNull();
    expect(there.getByRole('link', { name: 'See plans' })).toBeTruthy();
  });

  it('can be closed, each notice by itself, until there is another one', async () => {
    let meters: readonly object[] = [jobs, near];
    network({ ...answers([]), [USAGE]: () => answers(meters)[USAGE] });
    const loaded = open('/app/settings/profile', 'signed-in');
    await userEvent.click((await banner(/^Jobs:/)).getByRole('button', { name: 'Close' }));
    await userEvent.click((await banner(/^Storage: 84.% used$/)).getByRole('button', { name: 'Close' }));
    expect(screen.queryByText(/^Storage: 84/)).toBeNull();
    meters = [jobs, { ...near, used: 96_000_000, notice_percent: 95 }];
    await act(() => loaded.refetchQueries({ queryKey: usageQuery.queryKey }));
    expect(await banner(/^Storage: 96.% used$/)).toBeTruthy();
    expect(screen.queryByText(/^Jobs: more/)).toBeNull();
  });

  it('is asked for again soon, and whenever the reader comes back', async () => {
    let meters: readonly object[] = [jobs];
    network({ ...answers([]), [USAGE]: () => answers(meters)[USAGE] });
    open('/app/settings/profile', 'signed-in');
    await banner(/^Jobs:/);
    meters = [meter({ ...jobs, used: 10, limit: 500, remaining: 490, notice_percent: null, blocked_since: null })];
    act(() => focusManager.setFocused(false));
    act(() => focusManager.setFocused(true));
    await vi.waitFor(() => expect(screen.queryByText(/^Jobs:/)).toBeNull());
    const interval = noticedUsageQuery.refetchInterval;
    const after = (shown: object[]) => interval({ state: { data: { meters: shown } as unknown as UsageAnswer } });
    expect([after([jobs]), after([meter()]), interval({ state: {} })]).toEqual([5_000, 60_000, 60_000]);
  });

  it('is not there while nothing was told, or nothing is known', async () => {
    network({ ...answers([meter()]), [USAGE]: null });
    open('/app/settings/profile', 'signed-in');
    await screen.findByRole('heading', { level: 1 });
    expect(screen.queryByText(/refused|% used/)).toBeNull();
  });
});
