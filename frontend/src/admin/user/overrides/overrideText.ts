import type { GivenOverride, MeterUsage } from '../../../api/types';
import { texts } from '../../../texts';
import { formatMoment } from '../../../texts/format';
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

/** Where it stands, and from when until when, in one line. */
export function factsOf(given: GivenOverride, { zone, now }: Reader): string {
  const words = texts.adminUser.overrides;
  const at = (iso: string) => formatMoment(iso, zone, now);
  return [
    words.states[given.state],
    words.from(at(given.starts_at)),
    given.ends_at === null ? words.open : words.until(at(given.ends_at)),
    ...(given.state === 'taken_back' && given.ended_at !== null ? [words.takenBack(at(given.ended_at))] : []),
  ].join(' · ');
}
