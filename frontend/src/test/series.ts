import type { UsageSeries } from '../api/types';

const DAY_MS = 86_400_000;

/** Jobs of the three days until 23 November 2026 at 14:03:12 in Berlin; four, none, and seven so far. */
export function series(changes: Partial<UsageSeries> = {}): UsageSeries {
  return {
    meter: 'jobs',
    unit: 'job',
    step: 'day',
    time_zone: 'Europe/Berlin',
    as_of: '2026-11-23T13:03:12Z',
    points: steps('2026-11-20T23:00:00Z', [4, 0, 7]),
    keys: null,
    ...changes,
  };
}

/** Steps from a moment on, each of a day if nothing else is said; with levels they are those of a gauge. */
export function steps(first: string, amounts: readonly number[], levels?: readonly number[], length = DAY_MS) {
  const at = (index: number) => new Date(Date.parse(first) + index * length).toISOString();
  return amounts.map((amount, index) => ({
    start: at(index),
    end: at(index + 1),
    amount,
    level: levels?.[index] ?? null,
  }));
}
