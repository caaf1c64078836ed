import { describe, expect, it } from 'vitest';
import { denialEvent, usageEvent } from '../test/live';
import { hasGap, metersOf, MOST_ROWS, withEvents } from './rows';

describe('the rows of the live view', () => {
  it('are the newest first, whichever came first', () => {
    const rows = withEvents([], [usageEvent({ id: 'b' }), usageEvent({ id: 'a' }), denialEvent({ id: 'c' })]);
    expect(rows.map(({ kind, id }) => `${kind} ${id}`)).toEqual(['denial c', 'usage b', 'usage a']);
  });

  it('are each there once, and grow', () => {
    const first = withEvents([], [usageEvent({ id: 'a', amount: 3, source: 'journal' }), denialEvent({ id: 'b' })]);
    const grown = withEvents(first, [usageEvent({ id: 'a', amount: 8, source: 'journal' }), denialEvent({ id: 'b' })]);
    expect(grown.map((row) => (row.kind === 'usage' ? row.amount : row.count))).toEqual([1, 8]);
    const again = withEvents(grown, [usageEvent({ id: 'a', amount: 3, source: 'journal' })]);
    expect(again).toEqual(grown);
  });

  it('are no more than there is room for', () => {
    const many = Array.from({ length: 300 }, (_, index) => usageEvent({ id: String(1_000 + index) }));
    const rows = withEvents([], many);
    expect(rows).toHaveLength(MOST_ROWS);
    expect(rows[0]?.id).toBe('1299');
  });

  it('are left alone by what else comes, which is read by itself', () => {
    const snapshot = (used: number) => ({ kind: 'meters', id: null, data: JSON.stringify({ as_of: 'x', meters: [{ used }] }) });
    const events = [snapshot(1), { kind: 'gap', id: null, data: '{}' }, snapshot(2), { kind: 'new', id: null, data: '?' }];
    expect(withEvents([], events)).toEqual([]);
    expect(metersOf(events)?.meters[0]?.used).toBe(2);
    expect(metersOf([])).toBeNull();
    expect([hasGap(events), hasGap([snapshot(1)])]).toEqual([true, false]);
  });
});
