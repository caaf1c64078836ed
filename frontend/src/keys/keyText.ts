import type { ApiKey } from '../api/types';
import { texts } from '../texts';
import { formatCount, formatMoment } from '../texts/format';
import type { Reader } from '../usage/meterText';

export function isOver(key: ApiKey, { now }: Reader): boolean {
  return key.expires_at !== null && new Date(key.expires_at) <= now;
}

/** What is known of a key, in one line. */
export function factsOf(key: ApiKey, reader: Reader): string {
  const words = texts.keys;
  const at = (iso: string) => formatMoment(iso, reader.zone, reader.now);
  const ends = () => {
    if (key.expires_at === null) return words.noExpiry;
    return isOver(key, reader) ? words.expired(at(key.expires_at)) : words.expires(at(key.expires_at));
  };
  return [
    key.scopes.includes('usage:write') || key.scopes.length === 0 ? words.may['usage:write'] : words.may['usage:read'],
    words.made(at(key.created_at)),
    key.last_used_at === null ? words.neverUsed : words.used(at(key.last_used_at)),
    ends(),
    ...limitOf(key.rate_limit_per_minute),
    ...(key.is_mine ? [] : [words.byOther]),
  ].join(' · ');
}

function limitOf(perMinute: number | null): string[] {
  if (perMinute === null) return [];
  return [perMinute === 0 ? texts.keys.limitNone : texts.keys.limit(formatCount(perMinute))];
}

/** Until when a secret of before works, too; null where none does. */
export function overlapOf(key: ApiKey, { zone, now }: Reader): string | null {
  return key.replaced_until === null ? null : texts.keys.overlap(formatMoment(key.replaced_until, zone, now));
}
