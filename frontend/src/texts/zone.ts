/** What the clock of a zone shows at a moment, in milliseconds read as if it were one of UTC. */
export function localTime(at: number, zone: string): number {
  const parts = new Intl.DateTimeFormat('en', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(at);
  const part = (type: Intl.DateTimeFormatPartTypes) => Number(parts.find((one) => one.type === type)?.value);
  return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
}

/** How far the clock of a zone is ahead of UTC, in milliseconds. `at` is a whole second. */
export const offset = (at: number, zone: string) => localTime(at, zone) - at;
