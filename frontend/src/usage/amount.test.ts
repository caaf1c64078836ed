import { describe, expect, it } from 'vitest';
import { formatAmount } from './amount';

describe('formatAmount', () => {
  it.each([
    [0, 'byte', '0 MB'],
    [512, 'byte', '512 byte'],
    [999, 'byte', '999 byte'],
    [1000, 'byte', '1 kB'],
    [100_000_000, 'byte', '100 MB'],
    [10_000_000_000, 'byte', '10 GB'],
    [12_400_000_000, 'byte', '12.4 GB'],
    [99_999_999, 'byte', '99.9 MB'],
    [0, 'second', '0 mins'],
    [45, 'second', '45 secs'],
    [754, 'second', '12.5 mins'],
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
});
