const MOST_DAYS = 3_660;

/** How many days a text says; null where it is no number of days that the server would take. */
export function daysOf(text: string): number | null {
  const days = Number(text.trim());
  return text.trim() !== '' && Number.isInteger(days) && days >= 1 && days <= MOST_DAYS ? days : null;
}
