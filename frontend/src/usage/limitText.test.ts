import { describe, expect, it } from 'vitest';
import { texts } from '../texts';
import { berlin } from '../test/meters';
import { makingText, overrideText } from './limitText';

const add = (amount: number) => ({ kind: 'add', amount });
const set = (amount: number | null) => ({ kind: 'set', amount });

describe('how a limit comes about', () => {
  it.each([
    [500, [], 'job', null],
    [500, [add(50)], 'job', '500 + 50 = 550'],
    [500, [add(50), add(1_000)], 'job', '500 + 50 + 1,000 = 1,550'],
    [500, [set(550)], 'job', '550 instead of 500'],
    [500, [set(0)], 'job', '0 instead of 500'],
    [500, [set(550), add(20)], 'job', '550 instead of 500 + 20 = 570'],
    [500, [set(null), add(20)], 'job', 'unlimited instead of 500'],
    [null, [set(10)], 'job', '10 instead of unlimited'],
    [100_000_000, [add(50_000_000)], 'byte', '100 MB + 50 MB = 150 MB'],
  ])('of %s and %j in %ss is "%s"', (plan, overrides, unit, said) => {
    expect(makingText({ plan, overrides, unit })).toBe(said);
  });

  it('names its parts where it is asked to', () => {
    const named = texts.limitMaking.named;
    expect(makingText({ plan: 500, overrides: [add(50)], unit: 'job' }, named)).toBe('plan 500 + override 50 = 550');
    expect(makingText({ plan: 500, overrides: [set(9)], unit: 'job' }, named)).toBe('override 9 instead of plan 500');
  });

  it('says of each override until when it is', () => {
    const given = { id: 'a', amount: 50, starts_at: '2026-11-01T00:00:00Z', reason: 'x' };
    expect(overrideText({ ...given, kind: 'add', ends_at: '2026-11-30T23:00:00Z' }, 'job', berlin)).toBe(
      '50 more until 1 Dec, 00:00 Berlin:',
    );
    expect(overrideText({ ...given, kind: 'set', amount: null, ends_at: null }, 'job', berlin)).toBe(
      'unlimited in place of the plan’s limit until it is taken back:',
    );
  });
});
