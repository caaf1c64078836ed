import { describe, expect, it } from 'vitest';
import { isDay, nextDay, startOfDay } from './days';

describe('days', () => {
  it.each([
    ['2026-11-23', true],
    ['2028-02-29', true],
    ['2026-02-29', false],
    ['2026-13-01', false],
    ['2026-1-1', false],
    ['yesterday', false],
    [20_261_123, false],
  ])('%s is one: %s', (value, isOne) => {
    expect(isDay(value)).toBe(isOne);
  });

  it('are followed by the next one, over the end of a year, too', () => {
    expect([nextDay('2026-11-30'), nextDay('2026-12-31')]).toEqual(['2026-12-01', '2027-01-01']);
  });

  it.each([
    ['2026-11-23', 'UTC', '2026-11-23T00:00:00.000Z'],
    ['2026-11-23', 'Europe/Berlin', '2026-11-22T23:00:00.000Z'],
    // The day on which the clock is set forward, and the one on which it is set back.
    ['2026-03-29', 'Europe/Berlin', '2026-03-28T23:00:00.000Z'],
    ['2026-10-25', 'Europe/Berlin', '2026-10-24T22:00:00.000Z'],
    ['2026-11-23', 'America/Los_Angeles', '2026-11-23T08:00:00.000Z'],
    ['2026-11-23', 'Asia/Kathmandu', '2026-11-22T18:15:00.000Z'],
    // Set forward at midnight: the day begins at one o'clock.
    ['2026-09-06', 'America/Santiago', '2026-09-06T04:00:00.000Z'],
    // Set back at midnight: the day before has an hour more.
    ['2026-04-05', 'America/Santiago', '2026-04-05T04:00:00.000Z'],
  ])('%s in %s begins at %s', (day, zone, moment) => {
    expect(startOfDay(day, zone)).toBe(moment);
  });
});
