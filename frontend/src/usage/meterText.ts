import type { MeterUsage, Projection } from '../api/types';
import { texts } from '../texts';
import { formatClock, formatCount, formatDay, formatMoment } from '../texts/format';
import { formatAmount, formatUsed } from './amount';
import type { MeterState } from './meterState';

/** Where and when the reader is: the account's zone, and the moment the page is drawn. */
export interface Reader {
  readonly zone: string;
  readonly now: Date;
}

/** The name of a meter in sentences where only its key is known. */
export function meterName(key: string): string {
  return texts.meters[key] ?? key.replaceAll('_', ' ');
}

/** "42,000 of 100,000", "84.2 MB now, of 100 MB", "1,204, unlimited". */
export function amountText(meter: MeterUsage, state: MeterState): string {
  const gauge = meter.kind === 'gauge';
  if (!state.limited) {
    const all = formatAmount(meter.used, meter.unit);
    return gauge ? texts.usage.nowUnlimited(all) : texts.usage.unlimited(all);
  }
  const used = formatUsed(meter.used, state.limit, meter.unit);
  const limit = formatAmount(state.limit, meter.unit);
  return gauge ? texts.usage.nowOf(used, limit) : texts.usage.of(used, limit);
}

/** "42 %"; what is used but rounds to nothing is "under 1 %", never 0. Null where there is no limit. */
export function percentText(meter: MeterUsage, state: MeterState): string | null {
  if (!state.limited || state.limit === 0) return null;
  if (meter.used > 0 && state.percent === 0) return texts.usage.underOne;
  return texts.usage.percent(formatCount(state.percent));
}

/** The word beside the icon, for the levels that ask for attention. */
export function levelText(state: MeterState): string | null {
  if (!state.limited || state.level === 'ok') return null;
  return texts.usage.state[state.level];
}

/** "resets 1 Dec, 00:00 Berlin"; null for a gauge, which does not reset. */
export function resetText(meter: MeterUsage, reader: Reader): string | null {
  if (!meter.resets_at || meter.kind === 'gauge') return null;
  return texts.usage.resets(formatMoment(meter.resets_at, reader.zone, reader.now));
}

/** Where the present pace leads, as a rounded range; null while there is too little history. */
export function projectionText(meter: MeterUsage, reader: Reader): string | null {
  const projection = meter.projection;
  if (!projection) return null;
  const range = rangeText(projection, meter.unit);
  const day = formatDay(lastInstant(projection.at), reader.zone, reader.now);
  if (!projection.limit_at) return texts.usage.pace(range, day);
  return texts.usage.paceLimit(range, day, formatDay(projection.limit_at, reader.zone, reader.now));
}

function rangeText(projection: Projection, unit: string): string {
  const low = formatAmount(projection.low, unit);
  const high = formatAmount(projection.high, unit);
  return low === high ? texts.usage.about(low) : texts.usage.range(low, high);
}

/** A period's end is the first moment after it: "by 30 Nov" for a period that ends on 1 Dec at 00:00. */
function lastInstant(end: string): string {
  return new Date(new Date(end).getTime() - 1).toISOString();
}

/** The whole state of a limited meter as one spoken text (aria-valuetext). */
export function spokenText(meter: MeterUsage, state: MeterState, reader: Reader): string {
  if (!state.limited) return amountText(meter, state);
  const said = texts.usage.spoken;
  const used = formatUsed(meter.used, state.limit, meter.unit, 'long');
  const limit = formatAmount(state.limit, meter.unit, 'long');
  const figures = [meter.kind === 'gauge' ? said.now(used, limit) : said.used(used, limit)];
  if (state.limit > 0) figures.push(said.percent(formatCount(state.percent)));
  if (meter.held > 0) figures.push(said.held(formatAmount(meter.held, meter.unit, 'long')));
  const sentences = [figures.join(', '), levelText(state)];
  if (meter.resets_at && meter.kind !== 'gauge') {
    sentences.push(said.resets(formatMoment(meter.resets_at, reader.zone, reader.now, 'long')));
  }
  sentences.push(said.asOf(formatClock(meter.as_of, reader.zone, reader.now)));
  return sentences.filter((sentence) => sentence !== null).map((sentence) => `${sentence}.`).join(' ');
}
