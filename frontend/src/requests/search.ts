import type { DenialCode } from '../api/types';
import { texts } from '../texts';
import { isDay, type DayRange } from '../texts/days';

/** What the address of the list says besides its path. */
export interface RequestsSearch extends DayRange {
  readonly code?: DenialCode;
  readonly meter?: string;
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
