import { offset } from '../../../texts/zone';

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
  const nearly = shown - offset(shown, zone);
  return new Date(shown - offset(nearly, zone)).toISOString();
}
