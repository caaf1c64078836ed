import { describe, expect, it } from 'vitest';
import { series, steps } from '../test/series';
import { keyName, keySums, seriesRows, sumOf } from './seriesRows';

const HOUR_MS = 3_600_000;

describe('usage over time in rows', () => {
  it("names days of the account's zone, and says which one is not over", () => {
    expect(seriesRows(series()).map(({ name, amount, open }) => [name, amount, open])).toEqual([
      ['21 Nov', 4, false],
      ['22 Nov', 0, false],
      ['23 Nov', 7, true],
    ]);
  });

  it('names hours with their day, and months with their year', () => {
    const hours = series({ step: 'hour', points: steps('2026-11-22T22:00:00Z', [1, 2], undefined, HOUR_MS) });
    expect(seriesRows(hours).map(({ name, short }) => [name, short])).toEqual([
      ['22 Nov, 23:00', '23:00'],
      ['23 Nov, 00:00', '00:00'],
    ]);
    const months = series({ step: 'month', points: steps('2025-12-31T23:00:00Z', [1]) });
    expect(seriesRows(months).map(({ name, short }) => [name, short])).toEqual([['Jan 2026', 'Jan']]);
  });

  it('tells the hour apart that comes twice where the clock is set back', () => {
    const points = steps('2026-10-24T23:00:00Z', [1, 2, 3], undefined, HOUR_MS);
    const rows = seriesRows(series({ step: 'hour', points, as_of: '2026-10-25T02:30:00Z' }));
    const names = rows.map(({ name }) => name);
    expect(names[1]).toContain('02:00');
    expect(names[2]).toContain('02:00');
    expect(new Set(names).size).toBe(3);
  });

  it('has no rows without points', () => {
    expect(seriesRows(series({ points: [] }))).toEqual([]);
    expect(sumOf([])).toBe(0);
  });
});

describe('usage by key', () => {
  const start = '2026-11-20T23:00:00Z';
  const key = '0199f0aa-0000-7000-8000-0000c0ffee12';

  it('is summed over all steps, most first, also without a key and with what was taken back', () => {
    const own = { key_id: key, key_name: 'Laptop', key_prefix: 'fk_live_d1mdvki9' };
    const unnamed = { key_name: null, key_prefix: null };
    const points = [
      { start, key_id: null, ...unnamed, amount: 2 },
      { start, ...own, amount: 5 },
      { start: '2026-11-21T23:00:00Z', ...own, amount: 4 },
      { start, key_id: 'another', ...unnamed, amount: -1 },
    ];
    expect(keySums(points)).toEqual([
      { id: key, name: 'Laptop', prefix: 'fk_live_d1mdvki9', amount: 9 },
      { id: null, name: null, prefix: null, amount: 2 },
      { id: 'another', name: null, prefix: null, amount: -1 },
    ]);
    expect(keySums([])).toEqual([]);
  });

  it('names a key by its last signs', () => {
    expect(keyName(key)).toBe('…c0ffee12');
    expect(keyName(null)).toBe('Without a key');
  });
});
