import { texts } from '../texts';

export type Spelling = 'short' | 'long';
type Rounding = 'halfExpand' | 'trunc';

const BYTES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'] as const;

function withUnit(value: number, unit: string, spelling: Spelling, options: Intl.NumberFormatOptions): string {
  return new Intl.NumberFormat(texts.locale, { style: 'unit', unit, unitDisplay: spelling, ...options }).format(value);
}

/**
 * An amount of base units for people: bytes become kB, MB, GB (powers of 1000), seconds become minutes, and
 * whatever is counted one by one stays a plain number, since the meter's name says what it is.
 *
 * Sizes are cut, as those who sell them do: 99.99 of 100 MB must not read as full. Minutes are rounded to the nearest
 * tenth; beside a limit, `formatUsed` tells them.
 */
export function formatAmount(value: number, unit: string, spelling: Spelling = 'short', rounding: Rounding = 'halfExpand'): string {
  if (unit === 'byte') {
    // The short form of "byte" is no symbol, and has no plural. Nothing has no size: it is told in the unit in which storage is sold.
    let power = value === 0 ? 2 : 0;
    while (Math.abs(value) >= 1000 ** (power + 1) && power < BYTES.length - 1) power += 1;
    return withUnit(value / 1000 ** power, BYTES[power] ?? 'byte', power === 0 ? 'long' : spelling, {
      maximumSignificantDigits: 3,
      roundingMode: 'trunc',
    });
  }
  if (unit === 'second') {
    const [scaled, name] = value !== 0 && Math.abs(value) < 60 ? [value, 'second'] : [value / 60, 'minute'];
    return withUnit(scaled, name, spelling, { maximumFractionDigits: 1, roundingMode: rounding });
  }
  return new Intl.NumberFormat(texts.locale).format(value);
}

/** What is used, beside its limit: what is below the limit never reads as all of it. */
export function formatUsed(used: number, limit: number, unit: string, spelling: Spelling = 'short'): string {
  const nearest = formatAmount(used, unit, spelling);
  const isAll = used < limit && nearest === formatAmount(limit, unit, spelling);
  return isAll ? formatAmount(used, unit, spelling, 'trunc') : nearest;
}
