import { describe, expect, it } from 'vitest';
import { hintWithRoom } from './roomText';

describe('the room of a field', () => {
  it('is spoken of once there is little, and when there is none', () => {
    expect(hintWithRoom('Why.', 'x'.repeat(1_799), 2_000)).toBe('Why.');
    expect(hintWithRoom('Why.', 'x'.repeat(1_800), 2_000)).toBe('Why. 1,800 of 2,000 characters.');
    expect(hintWithRoom('Why.', 'x'.repeat(2_000), 2_000)).toBe(
      'Why. All 2,000 characters are used: what is beyond them is left out.',
    );
    expect(hintWithRoom(undefined, '', 100)).toBeUndefined();
    expect(hintWithRoom(undefined, 'x'.repeat(95), 100)).toBe('95 of 100 characters.');
  });
});
