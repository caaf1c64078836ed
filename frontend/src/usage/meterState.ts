import type { MeterUsage } from '../api/types';

/** From this share of the limit on, a meter is shown as near its limit. */
export const NEAR_SHARE = 0.8;

export type Level = 'ok' | 'near' | 'at' | 'over' | 'none';

/** How one meter stands. Shares are parts of the bar's width, 0 to 1, and never add up to more than 1. */
export type MeterState =
  | { readonly limited: false }
  | {
      readonly limited: true;
      readonly limit: number;
      readonly level: Level;
      readonly percent: number;
      readonly usedShare: number;
      readonly heldShare: number;
    };

/**
 * The state of a meter. No limit (null) means unlimited; a limit of 0 means the plan does not include it.
 *
 * What is held counts towards the limit, since it cannot be granted to anyone else. `remaining` decides "at the
 * limit" beside the sum, because the server may have set units aside that are neither used nor held.
 */
export function meterState(meter: Pick<MeterUsage, 'used' | 'held' | 'limit' | 'remaining'>): MeterState {
  const { used, held, limit, remaining } = meter;
  if (limit === null) return { limited: false };
  const usedShare = limit > 0 ? clamp(used / limit) : used > 0 ? 1 : 0;
  return {
    limited: true,
    limit,
    level: levelOf(used, held, limit, remaining),
    percent: limit > 0 ? Math.floor((used / limit) * 100) : 0,
    usedShare,
    heldShare: limit > 0 ? Math.min(clamp(held / limit), 1 - usedShare) : 0,
  };
}

function levelOf(used: number, held: number, limit: number, remaining: number | null): Level {
  if (used > limit) return 'over';
  if (limit === 0) return 'none';
  if (used + held >= limit || remaining === 0) return 'at';
  return used + held >= limit * NEAR_SHARE ? 'near' : 'ok';
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}
