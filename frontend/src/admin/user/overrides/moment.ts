/** How far a zone's clock is ahead of UTC at a moment, in milliseconds. */
function ahead(zone: string, at: number): number {
  const format = new Intl.DateTimeFormat('en', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000;
}

const LOCAL = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?$/;

/**
 * The moment at which the clock of a zone shows what a field says ("2026-12-01T09:00"), for the API; null where it says
 * nothing that is a time. Where the clock is set back, it is the first of both.
 */
export function momentIn(zone: string, local: string): string | null {
  if (!LOCAL.test(local)) return null;
  const shown = Date.parse(`${local}Z`);
  if (Number.isNaN(shown)) return null;
  // The zone's distance at the moment itself, which is known nearly after the first step.
  const nearly = shown - ahead(zone, shown);
  return new Date(shown - ahead(zone, nearly)).toISOString();
}
