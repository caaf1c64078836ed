import type { RateLimits } from '../api/types';
import { texts } from '../texts';
import { formatClock, formatCount, formatDuration } from '../texts/format';
import type { Reader } from '../usage/meterText';

/** One limit with its state, in words. */
export interface LimitRow {
  readonly key: string;
  readonly name: string;
  readonly allowed: string;
  readonly left: string;
  readonly full: string;
}

type Scope = RateLimits['scopes'][string];

function scopeRow(key: string, scope: Scope, reader: Reader): LimitRow {
  const words = texts.limits;
  const counted = scope.remaining !== null && scope.full_at !== null;
  const isFull = scope.remaining === scope.burst;
  return {
    key,
    name: words.scopes[key] ?? key.replaceAll('_', ' '),
    allowed: words.allowedValue(
      formatCount(scope.requests),
      formatDuration(scope.per_seconds),
      formatCount(scope.burst),
    ),
    left: scope.remaining === null ? words.notCounted : formatCount(scope.remaining),
    full: !counted || isFull || scope.full_at === null ? words.now : formatClock(scope.full_at, reader.zone, reader.now),
  };
}

function inFlightRow(inFlight: RateLimits['jobs_in_flight']): LimitRow {
  const words = texts.limits;
  const { limit, used, remaining } = inFlight;
  return {
    key: 'jobs_in_flight',
    name: words.atOnce,
    allowed: limit === null ? words.unlimited : formatCount(limit),
    left: remaining === null ? words.inFlight(formatCount(used)) : formatCount(remaining),
    full: used === 0 ? words.now : words.whenDone,
  };
}

/** Every limit on what happens close together. */
export function rateRows(limits: RateLimits, reader: Reader): LimitRow[] {
  const scopes = Object.entries(limits.scopes).map(([key, scope]) => scopeRow(key, scope, reader));
  return [...scopes, inFlightRow(limits.jobs_in_flight)];
}
