import type { Refusal } from '../../api/types';

export interface OfCode {
  readonly code: string;
  /** How many requests were refused with it. */
  readonly times: number;
  readonly newestAt: string;
}

/** Refusals, the newest first, counted by their code: the code that was met last is first. */
export function byCode(refusals: readonly Refusal[]): OfCode[] {
  const found = new Map<string, OfCode>();
  for (const { code, count, last_at: at } of refusals) {
    const before = found.get(code);
    const newestAt = before === undefined || Date.parse(at) > Date.parse(before.newestAt) ? at : before.newestAt;
    found.set(code, { code, times: (before?.times ?? 0) + count, newestAt });
  }
  return [...found.values()].toSorted((one, other) => Date.parse(other.newestAt) - Date.parse(one.newestAt));
}
