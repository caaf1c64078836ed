import type { KeyPoint, SeriesPoint, UsageSeries } from '../api/types';
import { texts } from '../texts';
import { formatDay, formatHour, formatMonth, formatTime, knownZone } from '../texts/format';

/** One step of usage over time, as the chart and its table show it. */
export interface SeriesRow {
  readonly start: string;
  /** "23 Nov", "23 Nov, 14:00", "Nov 2026". */
  readonly name: string;
  /** The same in little room. */
  readonly short: string;
  /** What was counted; of a gauge the change. */
  readonly amount: number;
  /** The level at the end, of a gauge. */
  readonly level: number | null;
  /** It is not over yet. */
  readonly open: boolean;
}

/** The steps, oldest first. They are steps of the account's zone, and are told in it whatever the reader's zone is. */
export function seriesRows(series: UsageSeries): SeriesRow[] {
  const zone = knownZone(series.time_zone);
  const now = new Date(series.as_of);
  const names = series.points.map(({ start }) => nameOf(start, series.step, zone, now));
  // Where the clock is set back, an hour comes twice.
  const twice = new Set(names).size < names.length;
  return series.points.map((point, index) => ({
    start: point.start,
    name: twice ? formatHour(point.start, zone, now, true) : (names[index] ?? ''),
    short: shortOf(point.start, series.step, zone, now),
    amount: point.amount,
    level: point.level,
    open: Date.parse(point.end) > now.getTime(),
  }));
}

function nameOf(start: string, step: UsageSeries['step'], zone: string, now: Date): string {
  if (step === 'hour') return formatHour(start, zone, now);
  return step === 'day' ? formatDay(start, zone, now) : formatMonth(start, zone);
}

function shortOf(start: string, step: UsageSeries['step'], zone: string, now: Date): string {
  if (step === 'hour') return formatTime(start, zone);
  return step === 'day' ? formatDay(start, zone, now) : formatMonth(start, zone, false);
}

export function sumOf(points: readonly Pick<SeriesPoint, 'amount'>[]): number {
  return points.reduce((sum, { amount }) => sum + amount, 0);
}

/** What one key counted in all steps; null is usage without a key. A key of the host application has no name here. */
export interface KeySum {
  readonly id: string | null;
  readonly name: string | null;
  readonly prefix: string | null;
  readonly amount: number;
}

/** The sums of the keys, most first. */
export function keySums(points: readonly KeyPoint[]): KeySum[] {
  const sums = new Map<string | null, KeySum>();
  for (const { key_id: id, key_name: name, key_prefix: prefix, amount } of points) {
    sums.set(id, { id, name, prefix, amount: (sums.get(id)?.amount ?? 0) + amount });
  }
  return Array.from(sums.values()).sort(
    (one, other) => other.amount - one.amount || (one.id ?? '').localeCompare(other.id ?? ''),
  );
}

const LAST_SIGNS = 8;

/** The last signs of a key's id, in which it differs from others of the same day: "…c0ffee12". */
export function keyName(id: string | null): string {
  return id === null ? texts.history.withoutKey : `…${id.slice(-LAST_SIGNS)}`;
}
