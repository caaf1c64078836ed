import { describe, expect, it } from 'vitest';
import { formatClock, formatDay, formatDuration, formatMoment, formatMoney, formatPeriod, knownZone, zoneName } from './format';

const now = new Date('2026-11-23T13:05:00Z');
const zone = 'Europe/Berlin';

describe('formatters', () => {
  it('shows money from minor units of any number of digits', () => {
    expect(formatMoney(1999, 'usd')).toBe('$19.99');
    expect(formatMoney(0, 'USD')).toBe('$0.00');
    expect(formatMoney(1999, 'JPY')).toBe('¥1,999');
    expect(formatMoney(1500, 'KWD')).toContain('1.500');
  });

  it('names zones as people do, and falls back to UTC', () => {
    expect(zoneName('America/Argentina/Buenos_Aires')).toBe('Buenos Aires');
    expect(zoneName('Etc/UTC')).toBe('UTC');
    expect(knownZone('Mars/Olympus')).toBe('UTC');
    expect(knownZone(undefined)).toBe('UTC');
    expect(knownZone(zone)).toBe(zone);
  });

  it('tells moments in the zone, with the year only where it is another one', () => {
    expect(formatMoment('2026-11-30T23:00:00Z', zone, now)).toBe('1 Dec, 00:00 Berlin');
    expect(formatMoment('2026-12-31T23:00:00Z', zone, now)).toBe('1 Jan 2027, 00:00 Berlin');
    expect(formatMoment('2026-11-30T23:00:00Z', 'UTC', now)).toBe('30 Nov, 23:00 UTC');
    expect(formatDay('2026-11-30T23:00:00Z', zone, now)).toBe('1 Dec');
  });

  it('tells the time of day, with the day when it is not today', () => {
    expect(formatClock('2026-11-23T13:03:12Z', zone, now)).toBe('14:03:12');
    expect(formatClock('2026-11-22T23:30:00Z', zone, now)).toBe('00:30:00');
    expect(formatClock('2026-11-22T22:30:00Z', zone, now)).toBe('22 Nov, 23:30:00');
  });

  it('tells a period by its days between midnights, and by its times otherwise', () => {
    const days = formatPeriod('2026-10-31T23:00:00Z', '2026-11-30T23:00:00Z', zone);
    expect(days.replaceAll('\u2009', ' ')).toBe('1 – 30 Nov 2026');
    const times = formatPeriod('2026-11-23T13:05:00Z', '2026-12-23T13:05:00Z', zone);
    expect(times).toMatch(/^23 Nov.* 14:05.*23 Dec.* 14:05 Berlin$/);
  });

  it('rounds a wait up, in a unit that fits', () => {
    expect(formatDuration(0.2)).toBe('1 second');
    expect(formatDuration(119)).toBe('119 seconds');
    expect(formatDuration(121)).toBe('3 minutes');
    expect(formatDuration(7200)).toBe('2 hours');
    expect(formatDuration(600_000)).toBe('7 days');
  });
});
