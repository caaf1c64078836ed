import type { UsageSeries } from '../api/types';

interface Span {
  readonly step: UsageSeries['step'];
  readonly count: number;
}

/** How long back usage is shown, as the address names it, and in which steps. */
export const PERIODS = {
  '24h': { step: 'hour', count: 24 },
  '7d': { step: 'day', count: 7 },
  '28d': { step: 'day', count: 28 },
  '12m': { step: 'month', count: 12 },
} as const satisfies Record<string, Span>;

export type Period = keyof typeof PERIODS;

export const DEFAULT_PERIOD: Period = '28d';

export function isPeriod(value: unknown): value is Period {
  return typeof value === 'string' && Object.hasOwn(PERIODS, value);
}

/** What the address of a meter's page says besides its path. */
export interface UsageSearch {
  readonly period?: Period;
  readonly by?: 'key';
}

/** Reads the address; what it does not know is left out. */
export function usageSearch(search: Record<string, unknown>): UsageSearch {
  return {
    ...(isPeriod(search.period) ? { period: search.period } : {}),
    ...(search.by === 'key' ? { by: search.by } : {}),
  };
}

const HOUR_MS = 3_600_000;
const QUARTER_MS = HOUR_MS / 4;

/**
 * Where a period begins that ends now, for the account's own clock and zone, so that it has its full count of steps
 * with the present one: a moment for hours, a date for days and months.
 */
export function startOf(period: Period, now: Date, zone: string): string {
  const { step, count } = PERIODS[period];
  if (step === 'hour') {
    // Every zone is whole quarters of an hour away from UTC, so this is in the same hour of all of them.
    const first = now.getTime() - (count - 1) * HOUR_MS;
    return new Date(Math.floor(first / QUARTER_MS) * QUARTER_MS).toISOString();
  }
  const [year, month, day] = dateIn(zone, now);
  const first = step === 'day' ? Date.UTC(year, month, day - (count - 1)) : Date.UTC(year, month - (count - 1), 1);
  return new Date(first).toISOString().slice(0, 'YYYY-MM-DD'.length);
}

/** Year, month from 0 and day. */
function dateIn(zone: string, at: Date): [number, number, number] {
  const format = new Intl.DateTimeFormat('en', { timeZone: zone, year: 'numeric', month: 'numeric', day: 'numeric' });
  const part = (type: Intl.DateTimeFormatPartTypes) =>
    Number(format.formatToParts(at).find((found) => found.type === type)?.value);
  return [part('year'), part('month') - 1, part('day')];
}
