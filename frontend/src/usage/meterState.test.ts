import { describe, expect, it } from 'vitest';
import { meter } from '../test/meters';
import { meterState } from './meterState';

function level(used: number, held: number, limit: number | null, remaining?: number | null) {
  const rest = remaining === undefined && limit !== null ? Math.max(0, limit - used - held) : (remaining ?? null);
  const state = meterState(meter({ used, held, limit, remaining: rest }));
  return state.limited ? state.level : 'unlimited';
}

describe('meterState', () => {
  it.each([
    [0, 0, 10, 'ok'],
    [7, 0, 10, 'ok'],
    [8, 0, 10, 'near'],
    [7, 1, 10, 'near'],
    [9, 0, 10, 'near'],
    [10, 0, 10, 'at'],
    [9, 1, 10, 'at'],
    [11, 0, 10, 'over'],
    [0, 0, 0, 'none'],
    [1, 0, 0, 'over'],
    [79_999, 0, 100_000, 'ok'],
    [80_000, 0, 100_000, 'near'],
  ])('%i used and %i held of %i is %s', (used, held, limit, expected) => {
    expect(level(used, held, limit)).toBe(expected);
  });

  it('is unlimited without a limit, which is not the same as a limit of 0', () => {
    expect(level(5, 0, null)).toBe('unlimited');
  });

  it('is at the limit when the server grants nothing more, whatever the sum says', () => {
    expect(level(6, 0, 10, 0)).toBe('at');
  });

  it('never draws more than the bar, and rounds the percentage down', () => {
    const over = meterState(meter({ used: 12, held: 3, limit: 10, remaining: 0 }));
    expect(over).toMatchObject({ percent: 120, usedShare: 1, heldShare: 0 });
    const nearly = meterState(meter({ used: 999, held: 5, limit: 1000, remaining: 0 }));
    expect(nearly).toMatchObject({ percent: 99, usedShare: 0.999 });
    expect(nearly.limited && nearly.usedShare + nearly.heldShare).toBeLessThanOrEqual(1);
  });
});
