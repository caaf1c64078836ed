import type { BulkAction, BulkPreview } from '../../../api/types';
import { texts } from '../../../texts';
import { formatCount } from '../../../texts/format';

/** Who is left out and why, a line for each reason. */
export function leftOutLines(leftOut: BulkPreview['left_out'] | BulkAction['left_out']): string[] {
  const known: Readonly<Record<string, (count: string) => string>> = texts.adminBulk.leftOut;
  const line = (why: string, count: number) =>
    known[why]?.(formatCount(count)) ?? texts.adminBulk.leftOutElse(formatCount(count), why);
  return Object.entries(leftOut).flatMap(([why, count]) => (count > 0 ? [line(why, count)] : []));
}

/** "12 of 100 done, 3 left out". */
export function progressText({ done, total, left_out: leftOut }: BulkAction): string {
  const words = texts.adminBulk;
  const out = Object.values(leftOut).reduce((sum, count) => sum + count, 0);
  const said = words.doneOf(formatCount(done), formatCount(total));
  return out === 0 ? said : words.withLeftOut(said, formatCount(out));
}
