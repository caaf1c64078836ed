import { refusalHeading } from '../overview/refusalText';
import { texts } from '../texts';
import { formatCount, formatTime } from '../texts/format';
import { formatAmount, formatUsed } from '../usage/amount';
import { meterName } from '../usage/meterText';
import { keyName } from '../usage/seriesRows';
import type { UnitOf } from '../usage/units';
import type { DenialRow, LiveRow, UsageRow } from './rows';

export interface RowText {
  readonly what: string;
  /** Who, how and how often, as far as it is known. */
  readonly details: string;
  readonly amount: string;
}

/** One line of the live view in words. */
export function rowText(row: LiveRow, unitOf: UnitOf, zone: string): RowText {
  return row.kind === 'usage' ? usageText(row, unitOf, zone) : denialText(row, unitOf);
}

function usageText(row: UsageRow, unitOf: UnitOf, zone: string): RowText {
  const words = texts.live;
  const plain = formatAmount(row.amount, unitOf(row.meter));
  const amount = row.amount > 0 ? `+${plain}` : plain;
  const details = [
    // What was said too low is corrected upwards: nothing is taken back.
    row.source === 'retraction' && row.amount > 0 ? words.corrected(amount) : (words.source[row.source] ?? row.source),
    ...(row.source === 'journal' ? [words.minute(formatTime(row.occurred_at, zone))] : []),
    ...(row.counted ? [] : [words.uncounted]),
    ...(row.key_id === null ? [] : [words.byKey(keyName(row.key_id))]),
  ];
  return { what: meterName(row.meter), details: details.join(' · '), amount };
}

function denialText(row: DenialRow, unitOf: UnitOf): RowText {
  const words = texts.live;
  const unit = unitOf(row.meter);
  const isKnown = row.used !== null && row.limit !== null;
  const details = [
    ...(isKnown ? [words.usedOf(formatUsed(row.used, row.limit, unit), formatAmount(row.limit, unit))] : []),
    ...(row.count > 1 ? [words.times(formatCount(row.count))] : []),
    `${row.method} ${row.path}`,
    ...(row.key_id === null ? [] : [words.byKey(keyName(row.key_id))]),
    words.request(row.request_id),
  ];
  const isAmount = row.meter !== null && row.requested !== null;
  return {
    what: words.refusal(refusalHeading(row.code, row.meter)),
    details: details.join(' · '),
    amount: isAmount ? words.asked(formatAmount(row.requested, unit)) : '',
  };
}
