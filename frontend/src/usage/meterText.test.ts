import { describe, expect, it } from 'vitest';
import { berlin, meter, storage } from '../test/meters';
import type { MeterUsage } from '../api/types';
import { meterState } from './meterState';
import { amountText, levelText, meterName, percentText, projectionText, resetText, spokenText } from './meterText';

const calls = meter({ meter: 'api_calls', name: 'API calls', unit: 'call', used: 42_000, limit: 100_000, remaining: 58_000 });

const amount = (given: MeterUsage) => amountText(given, meterState(given));
const percent = (given: MeterUsage) => percentText(given, meterState(given));
const level = (given: MeterUsage) => levelText(meterState(given));
const spoken = (given: MeterUsage) => spokenText(given, meterState(given), berlin);

describe('the texts of a usage bar', () => {
  it('says how much of how much', () => {
    expect(amount(calls)).toBe('42,000 of 100,000');
    expect(amount(storage)).toBe('84.2 MB now, of 100 MB');
    expect(amount(meter({ used: 1204, limit: null, remaining: null }))).toBe('1,204, unlimited');
    expect(amount(meter({ ...storage, limit: null, remaining: null }))).toBe('84.2 MB now, unlimited');
  });

  it('never shows 0 % for something that is used', () => {
    expect(percent(calls)).toBe('42\u00a0%');
    expect(percent(meter({ ...calls, used: 3 }))).toBe('under 1\u00a0%');
    expect(percent(meter({ ...calls, used: 0 }))).toBe('0\u00a0%');
    expect(percent(meter({ limit: null, remaining: null }))).toBeNull();
    expect(percent(meter({ used: 0, limit: 0, remaining: 0 }))).toBeNull();
  });

  it('has a word for every level that asks for attention', () => {
    expect(level(calls)).toBeNull();
    expect(level(storage)).toBe('Near the limit');
    expect(level(meter({ used: 10, remaining: 0 }))).toBe('At the limit');
    expect(level(meter({ used: 11, remaining: 0 }))).toBe('Over the limit');
    expect(level(meter({ used: 0, limit: 0, remaining: 0 }))).toBe('Not in this plan');
    expect(level(meter({ limit: null, remaining: null }))).toBeNull();
  });

  it("tells the reset in the account's zone, and none for a gauge", () => {
    expect(resetText(calls, berlin)).toBe('resets 1 Dec, 00:00 Berlin');
    expect(resetText(storage, berlin)).toBeNull();
  });

  it('tells the projection as a rounded range, by the last day of the period', () => {
    const at = '2026-11-30T23:00:00Z';
    const projection = { low: 130_000, high: 150_000, at, limit_at: '2026-11-22T10:00:00Z' };
    expect(projectionText({ ...calls, projection }, berlin)).toBe(
      'On pace for 130,000 to 150,000 by 30 Nov; the limit would be reached around 22 Nov.',
    );
    expect(projectionText({ ...calls, projection: { low: 90, high: 90, at, limit_at: null } }, berlin)).toBe(
      'On pace for about 90 by 30 Nov.',
    );
    expect(projectionText(calls, berlin)).toBeNull();
  });

  it('speaks the whole state at once', () => {
    expect(spoken(meter({ used: 8, held: 1, remaining: 1 }))).toBe(
      '8 of 10 used, 80 percent, 1 held. Near the limit. Resets 1 December, 00:00 Berlin. As of 14:03:12.',
    );
    expect(spoken(storage)).toBe(
      '84.2 megabytes of 100 megabytes in use now, 84 percent. Near the limit. As of 14:03:12.',
    );
  });

  it('names meters, also ones it has never heard of', () => {
    expect(meterName('api_calls')).toBe('API calls');
    expect(meterName('pages_scanned')).toBe('pages scanned');
  });
});
