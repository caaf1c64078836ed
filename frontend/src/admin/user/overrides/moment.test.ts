import { describe, expect, it } from 'vitest';
import { momentIn } from './moment';

describe('the moment that a field says', () => {
  it.each([
    ['UTC', '2026-12-01T09:00', '2026-12-01T09:00:00.000Z'],
    ['Europe/Berlin', '2026-12-01T09:00', '2026-12-01T08:00:00.000Z'],
    ['Europe/Berlin', '2026-07-01T09:00:30', '2026-07-01T07:00:30.000Z'],
    ['Asia/Kathmandu', '2026-12-01T00:00', '2026-11-30T18:15:00.000Z'],
    ['Pacific/Auckland', '2026-12-31T23:59', '2026-12-31T10:59:00.000Z'],
    // The clock is put forward at 02:00: what it never shows is told by the distance of before.
    ['Europe/Berlin', '2026-03-29T03:30', '2026-03-29T01:30:00.000Z'],
    ['Europe/Berlin', '2026-03-29T01:30', '2026-03-29T00:30:00.000Z'],
    ['America/New_York', '2026-11-01T03:30', '2026-11-01T08:30:00.000Z'],
  ])('in %s at %s is %s', (zone, local, moment) => {
    expect(momentIn(zone, local)).toBe(moment);
  });

  it.each(['', '2026-12-01', '2026-13-01T09:00', 'tomorrow', '2026-12-01T09:00Z'])('is none for "%s"', (local) => {
    expect(momentIn('UTC', local)).toBeNull();
  });
});
