import { describe, expect, it } from 'vitest';
import type { UsageAnswer } from '../api/types';
import { meter, storage } from '../test/meters';
import { usageNotices } from './noticeText';

const calls = meter({
  meter: 'api_calls',
  name: 'API calls',
  unit: 'call',
  window: 'day',
  used: 82,
  limit: 100,
  remaining: 18,
  resets_at: '2026-11-23T23:00:00Z',
  notice_percent: 80,
});

const answer = (...meters: UsageAnswer['meters']) =>
  ({ meters, usage: { period_start: '2026-10-31T23:00:00Z' } }) as unknown as UsageAnswer;

const one = (changed: UsageAnswer['meters'][number], zone = 'Europe/Berlin') => usageNotices(answer(changed), zone)[0];

describe('notices of usage', () => {
  it('says nothing of meters of which nothing was told', () => {
    expect(usageNotices(answer(meter(), storage), 'UTC')).toEqual([]);
  });

  it('says how much is used, and when it resets', () => {
    expect(one(calls)).toMatchObject({
      tone: 'near',
      title: 'API calls: 82\u00a0% used',
      detail: '82 of 100. At the limit, more is refused until the count resets: tomorrow, 00:00 Berlin.',
    });
  });

  it('says since when more is refused, by the clock of the account', () => {
    const full = { ...calls, used: 100, remaining: 0, notice_percent: 100, blocked_since: '2026-11-23T13:03:00Z' } as const;
    expect(one(full)).toMatchObject({
      tone: 'over',
      title: 'API calls: more has been refused since 14:03',
      detail: '100 of 100. The count resets tomorrow, 00:00 Berlin.',
    });
    expect(one({ ...full, blocked_since: '2026-11-22T13:03:00Z' })?.title).toContain('since 22 Nov, 14:03');
    expect(one(full, 'UTC')?.detail).toContain('The count resets 23:00 UTC.');
    expect(one({ ...full, resets_at: '2026-11-30T23:00:00Z' })?.detail).toContain('The count resets 1 Dec, 00:00 Berlin.');
  });

  it('says of a level that nothing is deleted, and tells it anew in each period', () => {
    const near = { ...storage, notice_percent: 80 } as const;
    expect(one(near)?.detail).toBe('84.2 MB now, of 100 MB. At the limit, more is refused; nothing is deleted.');
    expect(one(near)?.id).toContain('2026-10-31');
    const full = { ...near, used: 100_000_000, notice_percent: 100, blocked_since: '2026-11-23T13:03:00Z' } as const;
    expect(one(full)?.detail).toContain('nothing is deleted by itself');
  });

  it('begins with what is nearest to its limit', () => {
    const full = meter({ used: 10, notice_percent: 100, blocked_since: '2026-11-23T13:03:00Z' });
    const found = usageNotices(answer(calls, full, { ...storage, notice_percent: 95 }), 'UTC');
    expect(found.map(({ meter: name }) => name)).toEqual(['jobs', 'storage', 'api_calls']);
  });
});
