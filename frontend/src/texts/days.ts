import { localTime, offset } from './zone';

/** A day as addresses and date fields name it: "2026-11-23". */
const DAY = /^(\d{4})-(\d{2})-(\d{2})$/;
const DAY_MS = 86_400_000;

/** Days of the reader's zone, the last one included. */
export interface DayRange {
  readonly from?: string;
  readonly until?: string;
}

/** Whether there is such a day: there is no 30 February. */
export function isDay(value: unknown): value is string {
  const found = typeof value === 'string' ? DAY.exec(value) : null;
  if (found === null) return false;
  const midnight = new Date(`${value as string}T00:00:00Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(value as string);
}

export function nextDay(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + DAY_MS).toISOString().slice(0, 'YYYY-MM-DD'.length);
}

/** The first moment of a day in a zone. Where the clock is set forward at midnight, that is no midnight. */
export function startOfDay(day: string, zone: string): string {
  const midnight = Date.parse(`${day}T00:00:00Z`);
  const found = [-DAY_MS, DAY_MS]
    .map((away) => midnight - offset(midnight + away, zone))
    .sort((one, other) => one - other)
    .find((at) => localTime(at, zone) >= midnight);
  return new Date(found ?? midnight).toISOString();
}

/** The moments of a range of days: where the first begins, and where the one after the last does. */
export function between({ from, until }: DayRange, zone: string) {
  return {
    ...(from === undefined ? {} : { from: startOfDay(from, zone) }),
    ...(until === undefined ? {} : { to: startOfDay(nextDay(until), zone) }),
  };
}
