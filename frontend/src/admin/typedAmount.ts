import { texts } from '../texts';
import { formatCount } from '../texts/format';
import { formatAmount } from '../usage/amount';

/** The most that the API takes as one amount, in base units. */
const MOST = 1e15;
const TYPED = /^(\d{1,16}(?:\.\d{1,15})?)([a-z]*)$/i;

/** The units in which amounts may be typed beside a meter's own, by their size in it. MB is 10^6 bytes, as it is sold. */
const UNITS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  byte: { b: 1, byte: 1, bytes: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 },
  second: { s: 1, second: 1, seconds: 1, min: 60, minute: 60, minutes: 60, h: 3600, hour: 3600, hours: 3600 },
};

/** Whether amounts of the unit may be typed in others. */
export function hasOtherUnits(unit: string): boolean {
  return unit in UNITS;
}

/** What a text says, in base units: "5 GB", "90 minutes", "1,000"; null where that is no whole number of them. */
function read(text: string, unit: string): number | null {
  const found = TYPED.exec(text.replaceAll(/[\s,]/g, ''));
  const name = found?.[2]?.toLowerCase() ?? '';
  const size = name === '' || name === unit || name === `${unit}s` ? 1 : UNITS[unit]?.[name];
  if (found === null || size === undefined) return null;
  const exact = Number(found[1]) * size;
  // 1.1 GB are no whole number of bytes to a computer, nearly.
  const whole = Math.round(exact);
  return Math.abs(exact - whole) <= Math.abs(exact) * Number.EPSILON * 2 ? whole : null;
}

/** An amount of base units that a text says; null where it says none that the API takes. */
export function amountOf(text: string, unit: string): number | null {
  const amount = read(text, unit);
  return amount === null || amount > MOST ? null : amount;
}

/** What an amount is for people and in base units, or what is to be typed while there is none. */
export function amountHint(text: string, unit: string): string {
  const words = texts.adminUser.overrides;
  const amount = amountOf(text, unit);
  const base = words.baseUnits[unit];
  if (amount === null || base === undefined) return words.units[unit] ?? words.units.one;
  const [spelled, exact] = [formatAmount(amount, unit, 'long'), base(formatCount(amount))];
  return amount === 0 || spelled === exact ? words.means(exact) : words.meansExactly(spelled, exact);
}

/** What is wrong with an amount that has to be at least `least`; null where nothing is. */
export function amountWrong(text: string, unit: string, least: 0 | 1): string | null {
  const words = texts.adminUser.overrides;
  const amount = read(text, unit);
  if (amount !== null && amount > MOST) return words.amountTooLarge(words.baseUnits[unit]?.(formatCount(MOST)) ?? formatCount(MOST));
  if (amount !== null && amount >= least) return null;
  return words.amountWrong(formatCount(least));
}
