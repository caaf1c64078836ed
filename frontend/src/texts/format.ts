import { texts } from '.';

/** A zone that Intl knows; an unknown or missing one becomes UTC, and is then also named so. */
export function knownZone(zone: string | null | undefined): string {
  if (!zone) return 'UTC';
  try {
    new Intl.DateTimeFormat(texts.locale, { timeZone: zone });
    return zone;
  } catch {
    return 'UTC';
  }
}

/** The short name people use for a zone: "Berlin" for Europe/Berlin, "UTC" for Etc/UTC. */
export function zoneName(zone: string): string {
  const city = zone.slice(zone.lastIndexOf('/') + 1).replaceAll('_', ' ');
  return city === 'Zulu' || city === 'UCT' ? 'UTC' : city;
}

export function formatCount(value: number): string {
  return new Intl.NumberFormat(texts.locale).format(value);
}

/** A part of a whole that is not nothing, as a percentage: 1 of 8 is "12.5%". */
export function formatShare(part: number, whole: number): string {
  return new Intl.NumberFormat(texts.locale, { style: 'percent', maximumFractionDigits: 1 }).format(part / whole);
}

/** Money from integer minor units: 1999 USD is "$19.99", 1999 JPY is "¥1,999". */
export function formatMoney(minor: number, currency: string): string {
  const money = new Intl.NumberFormat(texts.locale, {
    style: 'currency',
    currency: currency.toUpperCase(),
    currencyDisplay: 'narrowSymbol',
  });
  const digits = money.resolvedOptions().maximumFractionDigits ?? 2;
  return money.format(minor / 10 ** digits);
}

function parts(at: Date, zone: string, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat(texts.locale, { timeZone: zone, hourCycle: 'h23', ...options }).format(at);
}

function yearOf(at: Date, zone: string): string {
  return parts(at, zone, { year: 'numeric' });
}

/** A day in the zone, with its year only where it is not the current one: "1 Dec", "1 Jan 2027". */
export function formatDay(iso: string, zone: string, now: Date, month: 'short' | 'long' = 'short'): string {
  const at = new Date(iso);
  const sameYear = yearOf(at, zone) === yearOf(now, zone);
  return parts(at, zone, { day: 'numeric', month, ...(sameYear ? {} : { year: 'numeric' }) });
}

/** A moment people can plan by: "1 Dec, 00:00 Berlin". */
export function formatMoment(iso: string, zone: string, now: Date, month: 'short' | 'long' = 'short'): string {
  return `${formatDay(iso, zone, now, month)}, ${formatTime(iso, zone)} ${zoneName(zone)}`;
}

/** The time of day to the second, with the day where it is not today: "14:03:12", "22 Nov, 14:03:12". */
export function formatClock(iso: string, zone: string, now: Date): string {
  const at = new Date(iso);
  const time = parts(at, zone, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
  const day = formatDay(iso, zone, now);
  return day === formatDay(now.toISOString(), zone, now) ? time : `${day}, ${time}`;
}

/** An hour of a day by its beginning: "23 Nov, 14:00"; with the zone's own name where its clock was set back. */
export function formatHour(iso: string, zone: string, now: Date, named = false): string {
  const time = parts(new Date(iso), zone, {
    hour: '2-digit',
    minute: '2-digit',
    ...(named ? { timeZoneName: 'short' } : {}),
  });
  return `${formatDay(iso, zone, now)}, ${time}`;
}

/** The time of day to the minute: "14:00". */
export function formatTime(iso: string, zone: string): string {
  return parts(new Date(iso), zone, { hour: '2-digit', minute: '2-digit' });
}

/** A month with its year: "Nov 2026"; on request without. */
export function formatMonth(iso: string, zone: string, withYear = true): string {
  return parts(new Date(iso), zone, { month: 'short', ...(withYear ? { year: 'numeric' } : {}) });
}

/**
 * A period whose end is its first moment that no longer belongs to it. Between two midnights the days say it
 * ("1–30 Nov 2026"); any other boundary needs its time.
 */
export function formatPeriod(start: string, end: string, zone: string): string {
  const [from, until] = [new Date(start), new Date(end)];
  const midnights = [from, until].every(
    (at) => parts(at, zone, { hour: '2-digit', minute: '2-digit', second: '2-digit' }) === '00:00:00',
  );
  if (midnights) {
    const days = new Intl.DateTimeFormat(texts.locale, { timeZone: zone, day: 'numeric', month: 'short', year: 'numeric' });
    return days.formatRange(from, new Date(until.getTime() - 1));
  }
  const moments = new Intl.DateTimeFormat(texts.locale, {
    timeZone: zone,
    hourCycle: 'h23',
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
  });
  return `${moments.formatRange(from, until)} ${zoneName(zone)}`;
}

const STEPS = [
  { unit: 'day', seconds: 86_400 },
  { unit: 'hour', seconds: 3_600 },
  { unit: 'minute', seconds: 60 },
] as const;

/** A wait in the largest fitting unit, rounded up so that waiting that long is enough: "3 minutes". */
export function formatDuration(seconds: number): string {
  const step = STEPS.find((candidate) => seconds >= 2 * candidate.seconds) ?? { unit: 'second', seconds: 1 };
  return new Intl.NumberFormat(texts.locale, { style: 'unit', unit: step.unit, unitDisplay: 'long' }).format(
    Math.max(1, Math.ceil(seconds / step.seconds)),
  );
}
