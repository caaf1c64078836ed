import { texts } from '../texts';

export type Spelling = 'short' | 'long';

const BYTES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'] as const;

function withUnit(value: number, unit: string, spelling: Spelling, options: Intl.NumberFormatOptions): string {
  return new Intl.NumberFormat(texts.locale, { style: 'unit', unit, unitDisplay: spelling, ...options }).format(value);
}

/**
 * An amount of base units for people: bytes become kB, MB, GB (powers of 1000), seconds become minutes, and
 * whatever is counted one by one stays a plain number, since the meter's name says what it is.
 *
 * Rounds towards zero: 99.99 of 100 MB must not read as full.
 */
export function formatAmount(value: number, unit: string, spelling: Spelling = 'short'): string {
  if (unit === 'byte') {
    // Nothing has no size: it is told in the unit in which storage is sold.
    let power = value === 0 ? 2 : 0;
    while (Math.abs(value) >= 1000 ** (power + 1) && power < BYTES.length - 1) power += 1;
    return withUnit(value / 1000 ** power, BYTES[power] ?? 'byte', spelling, {
      maximumSignificantDigits: 3,
      roundingMode: 'trunc',
    });
  }
  if (unit === 'second') {
    const [scaled, name] = value !== 0 && Math.abs(value) < 60 ? [value, 'second'] : [value / 60, 'minute'];
    return withUnit(scaled, name, spelling, { maximumFractionDigits: 1, roundingMode: 'trunc' });
  }
  return new Intl.NumberFormat(texts.locale).format(value);
}
