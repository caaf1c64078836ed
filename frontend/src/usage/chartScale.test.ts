import { describe, expect, it } from 'vitest';
import { barsOf, heightOf, namedSteps, scaleOf } from './chartScale';

describe('the scale of a chart', () => {
  it.each([
    [[3, 7], 'job', [0, 2, 4, 6, 8]],
    [[1], 'job', [0, 1]],
    [[2100, 300], 'call', [0, 1000, 2000, 3000]],
    [[84_200_000], 'byte', [0, 50_000_000, 100_000_000]],
    [[90], 'second', [0, 50, 100]],
    [[754], 'second', [0, 300, 600, 900]],
    [[5, -2], 'job', [-2, 0, 2, 4, 6]],
    [[-3, -1], 'job', [-3, -2, -1, 0]],
  ])('goes for %j of unit %s over %j', (values, unit, ticks) => {
    const scale = scaleOf(values, unit);
    expect(scale.ticks.map((tick) => tick + 0)).toEqual(ticks);
    expect([scale.low + 0, scale.high + 0]).toEqual([ticks[0], ticks.at(-1)]);
  });

  it.each([[[]], [[0]], [[0, 0, 0]]])('has a line of 0 alone, and no bar, for %j', (values: number[]) => {
    const scale = scaleOf(values, 'job');
    expect(scale).toEqual({ low: 0, high: 1, ticks: [0] });
    expect(barsOf(values, scale)).toEqual(values.map(() => ({ top: 1, height: 0 })));
  });

  it('contains every value and has few lines, however large the values are', () => {
    for (let power = 0; power <= 15; power += 1) {
      const values = [3 * 10 ** power, 10 ** power, -(10 ** power)];
      const { low, high, ticks } = scaleOf(values, 'call');
      expect(low).toBeLessThanOrEqual(Math.min(...values));
      expect(high).toBeGreaterThanOrEqual(Math.max(...values));
      expect(ticks).toContain(0);
      expect(ticks.length).toBeLessThanOrEqual(7);
    }
  });
});

describe('the bars of a chart', () => {
  it('go up from 0, and down from it for what was taken back', () => {
    const values = [6, -2, 0];
    const scale = scaleOf(values, 'job');
    const [up, down, none] = barsOf(values, scale);
    expect(heightOf(0, scale)).toBe(0.75);
    expect(up).toEqual({ top: 0, height: 0.75 });
    expect(down).toEqual({ top: 0.75, height: 0.25 });
    expect(none).toEqual({ top: 0.75, height: 0 });
  });

  it('are seen where there is little, and are not where there is nothing', () => {
    const values = [1_000_000, 1, 0];
    const [, little, none] = barsOf(values, scaleOf(values, 'call'));
    expect(little?.height).toBeGreaterThan(0.005);
    expect((little?.top ?? 0) + (little?.height ?? 0)).toBeCloseTo(1);
    expect(none?.height).toBe(0);
  });

  it('fill the height of one point alone', () => {
    expect(barsOf([10], scaleOf([10], 'job'))).toEqual([{ top: 0, height: 1 }]);
  });
});

describe('the named steps', () => {
  it.each([
    [28, [6, 13, 20, 27]],
    [24, [5, 11, 17, 23]],
    [12, [2, 5, 8, 11]],
    [7, [0, 2, 4, 6]],
    [1, [0]],
    [0, []],
  ])('of %i are %j', (count, named) => {
    expect(namedSteps(count)).toEqual(named);
  });
});
