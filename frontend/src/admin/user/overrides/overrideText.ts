import type { GivenOverride, MeterUsage } from '../../../api/types';
import { texts } from '../../../texts';
import { formatCount, formatMoment } from '../../../texts/format';
import { formatAmount } from '../../../usage/amount';
import { meterName, type Reader } from '../../../usage/meterText';
import { knownUnit } from '../../../usage/units';

/** "+5,000 API calls", "Jobs: 500 instead of the plan's limit". */
export function changeText({ meter: key, kind, amount }: GivenOverride, meters: readonly MeterUsage[]): string {
  const words = texts.adminUser.overrides;
  const meter = meters.find((one) => one.meter === key);
  const name = meter?.name ?? meterName(key);
  if (amount === null) return words.unlimited(name);
  const value = formatAmount(amount, meter?.unit ?? knownUnit(key));
  return kind === 'add' ? words.more(name, value) : words.instead(name, value);
}

/** Where it stands, from when until when, and why, in one line. */
export function factsOf(given: GivenOverride, { zone, now }: Reader): string {
  const words = texts.adminUser.overrides;
  const at = (iso: string) => formatMoment(iso, zone, now);
  return [
    words.states[given.state],
    words.from(at(given.starts_at)),
    given.ends_at === null ? words.open : words.until(at(given.ends_at)),
    ...(given.state === 'taken_back' && given.ended_at !== null ? [words.takenBack(at(given.ended_at))] : []),
    given.created_by === null ? words.byCommand : words.byOperator(given.created_by),
  ].join(' · ');
}

/** What an amount of base units is for people, or what is to be typed while there is none. */
export function amountHint(amount: number | null, unit: string): string {
  const words = texts.adminUser.overrides;
  const spelled = amount === null ? null : formatAmount(amount, unit, 'long');
  const isPlain = amount === null || spelled === formatCount(amount);
  return spelled === null || isPlain ? (words.units[unit] ?? words.units.one) : words.means(spelled);
}

/** A number of base units that a text says; null where it says none. */
export function amountOf(text: string): number | null {
  const plain = text.replaceAll(/[\s,]/g, '');
  return /^\d{1,16}$/.test(plain) && Number.isSafeInteger(Number(plain)) ? Number(plain) : null;
}
