import type { MeterUsage } from '../api/types';
import type { Reader } from '../usage/meterText';

/** A reader in Berlin on 23 November 2026 at 14:05. */
export const berlin: Reader = { zone: 'Europe/Berlin', now: new Date('2026-11-23T13:05:00Z') };

export function meter(changes: Partial<MeterUsage> = {}): MeterUsage {
  return {
    meter: 'jobs',
    name: 'Jobs',
    unit: 'job',
    display_unit: null,
    kind: 'counter',
    window: 'period',
    used: 4,
    held: 0,
    limit: 10,
    plan_limit: 10,
    overrides: [],
    remaining: 6,
    resets_at: '2026-11-30T23:00:00Z',
    as_of: '2026-11-23T13:03:12Z',
    projection: null,
    notice_percent: null,
    blocked_since: null,
    ...changes,
  };
}

export const storage = meter({
  meter: 'storage',
  name: 'Storage',
  unit: 'byte',
  kind: 'gauge',
  window: 'none',
  used: 84_200_000,
  limit: 100_000_000,
  plan_limit: 100_000_000,
  remaining: 15_800_000,
  resets_at: null,
});
