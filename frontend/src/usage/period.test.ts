import { describe, expect, it } from 'vitest';
import { startOf, usageSearch } from './period';

const zone = 'Europe/Berlin';
const now = new Date('2026-11-23T13:05:00Z');

describe('the beginning of a period', () => {
  it('leaves room for each of its steps and the present one', () => {
    expect(startOf('24h', now, zone)).toBe('2026-11-22T14:00:00.000Z');
    expect(startOf('7d', now, zone)).toBe('2026-11-17');
    expect(startOf('28d', now, zone)).toBe('2026-10-27');
    expect(startOf('12m', now, zone)).toBe('2025-12-01');
  });

  it("is a date of the account's zone, also around midnight and where the clock is changed", () => {
    const late = new Date('2026-11-23T23:30:00Z');
    expect(startOf('7d', late, zone)).toBe('2026-11-18');
    expect(startOf('7d', late, 'America/New_York')).toBe('2026-11-17');
    expect(startOf('7d', new Date('2026-03-29T22:30:00Z'), zone)).toBe('2026-03-24');
    expect(startOf('12m', new Date('2026-01-31T12:00:00Z'), zone)).toBe('2025-02-01');
  });

  it('is in the right hour of zones that are no whole hours away', () => {
    // 19:50 in Kolkata: the first of 24 hours is 20:00 to 21:00 of the day before.
    const start = new Date(startOf('24h', new Date('2026-11-23T14:20:00Z'), 'Asia/Kolkata'));
    expect(start.toISOString()).toBe('2026-11-22T15:15:00.000Z');
  });
});

describe('the address of a meter', () => {
  it.each([
    [{ period: '7d', by: 'key' }, { period: '7d', by: 'key' }],
    [{ period: '24h' }, { period: '24h' }],
    [{ period: 'a week', by: 'colour' }, {}],
    [{ period: 'toString' }, {}],
    [{ period: 7 }, {}],
    [{}, {}],
  ])('%j is read as %j', (search, read) => {
    expect(usageSearch(search)).toEqual(read);
  });
});
