import { describe, expect, it } from 'vitest';
import type { GivenOverride } from '../../../api/types';
import { changeText, factsOf } from './overrideText';

const given = (changes: Partial<GivenOverride> = {}): GivenOverride => ({
  id: 'o',
  meter: 'storage',
  kind: 'add',
  amount: 5_000_000,
  starts_at: '2026-11-01T10:00:00Z',
  ends_at: null,
  reason: 'why',
  state: 'in_force',
  created_by: null,
  created_by_email: null,
  created_at: '2026-11-01T10:00:00Z',
  ended_by: null,
  ended_at: null,
  ...changes,
});

const reader = { zone: 'UTC', now: new Date('2026-11-20T00:00:00Z') };

describe('an override in words', () => {
  it('says how the limit is changed, in the unit of its meter', () => {
    expect(changeText(given(), [])).toBe('Storage: 5 MB more than the plan');
    expect(changeText(given({ kind: 'set', amount: 0, meter: 'jobs' }), [])).toBe('Jobs: 0 in place of the plan’s limit');
    expect(changeText(given({ kind: 'set', amount: null, meter: 'odd_meter' }), [])).toBe('odd meter: unlimited');
  });

  it('says where it stands', () => {
    expect(factsOf(given(), reader)).toBe('In force · from 1 Nov, 10:00 UTC · until it is taken back');
    const over = given({ state: 'taken_back', ended_at: '2026-11-02T10:00:00Z', ends_at: '2026-12-01T00:00:00Z' });
    expect(factsOf(over, reader)).toBe(
      'Taken back · from 1 Nov, 10:00 UTC · until 1 Dec, 00:00 UTC · taken back 2 Nov, 10:00 UTC',
    );
  });
});
