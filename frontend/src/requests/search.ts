import type { DenialCode } from '../api/types';
import { texts } from '../texts';
import { isDay, nextDay, startOfDay } from '../texts/days';

/** What the address of the list says besides its path: days are those of the reader's zone, the last one included. */
export interface RequestsSearch {
  readonly code?: DenialCode;
  readonly meter?: string;
  readonly from?: string;
  readonly until?: string;
}

const LONGEST = 200;

function isCode(value: unknown): value is DenialCode {
  return typeof value === 'string' && Object.hasOwn(texts.requests.codes, value);
}

/** Reads the address; what it does not know is left out. */
export function requestsSearch(search: Record<string, unknown>): RequestsSearch {
  const { code, meter, from, until } = search;
  return {
    ...(isCode(code) ? { code } : {}),
    ...(typeof meter === 'string' && meter !== '' && meter.length <= LONGEST ? { meter } : {}),
    ...(isDay(from) ? { from } : {}),
    ...(isDay(until) ? { until } : {}),
  };
}

/** The moments of the days: where the first begins, and where the one after the last does. */
export function between({ from, until }: Pick<RequestsSearch, 'from' | 'until'>, zone: string) {
  return {
    ...(from === undefined ? {} : { from: startOfDay(from, zone) }),
    ...(until === undefined ? {} : { to: startOfDay(nextDay(until), zone) }),
  };
}
