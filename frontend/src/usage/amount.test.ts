import { describe, expect, it } from 'vitest';
import { formatAmount, formatUsed } from './amount';

describe('formatAmount', () => {
  it.each([
    [0, 'byte', '0 MB'],
    [1, 'byte', '1 byte'],
    [5, 'byte', '5 bytes'],
    [-200, 'byte', '-200 bytes'],
    [512, 'byte', '512 bytes'],
    [999, 'byte', '999 bytes'],
    [1000, 'byte', '1 kB'],
    [100_000_000, 'byte', '100 MB'],
    [10_000_000_000, 'byte', '10 GB'],
    [12_400_000_000, 'byte', '12.4 GB'],
    [99_999_999, 'byte', '99.9 MB'],
    [0, 'second', '0 mins'],
    [45, 'second', '45 secs'],
    [94, 'second', '1.6 mins'],
    [100, 'second', '1.7 mins'],
    [-100, 'second', '-1.7 mins'],
    [754, 'second', '12.6 mins'],
    [3_598, 'second', '60 mins'],
    [3600, 'second', '60 mins'],
    [360_000, 'second', '6,000 mins'],
    [42_000, 'call', '42,000'],
    [7, 'page', '7'],
  ])('shows %i of unit %s as %s', (value, unit, expected) => {
    expect(formatAmount(value, unit)).toBe(expected);
  });

  it('spells units out for speech', () => {
    expect(formatAmount(84_200_000, 'byte', 'long')).toBe('84.2 megabytes');
    expect(formatAmount(60, 'second', 'long')).toBe('1 minute');
  });

  it('never reads as all of a limit that is not reached', () => {
    expect(formatUsed(3_598, 3_600, 'second')).toBe('59.9 mins');
    expect(formatUsed(3_600, 3_600, 'second')).toBe('60 mins');
    expect(formatUsed(100, 3_600, 'second')).toBe('1.7 mins');
    expect(formatUsed(3_598, 3_600, 'second', 'long')).toBe('59.9 minutes');
    expect(formatUsed(99_999_999, 100_000_000, 'byte')).toBe('99.9 MB');
  });
});
