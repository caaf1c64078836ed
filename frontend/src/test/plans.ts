import type { PlanOnSale, RateLimits } from '../api/types';

type Quota = PlanOnSale['quotas'][number];

function quotas(calls: number | null, bytes: number | null): Quota[] {
  return [
    { meter: 'api_calls', name: 'API calls', unit: 'call', limit: calls, window: 'day' },
    { meter: 'storage', name: 'Storage', unit: 'byte', limit: bytes, window: 'none' },
  ];
}

/** The free plan, as it is offered to a visitor. */
export function plan(changes: Partial<PlanOnSale> = {}): PlanOnSale {
  return {
    id: '0199f0aa-0000-7000-8000-0000000000f1',
    name: 'free',
    display_name: 'Free',
    description: '',
    price_cents: 0,
    currency: 'USD',
    billing_period: null,
    features: { api_access: true, sso: false },
    rate_limit_multiplier: 1,
    rate_limits: { api: { requests: 100, per_seconds: 60, burst: 100 } },
    max_jobs_per_month: null,
    max_storage_mb: null,
    max_api_calls_per_day: null,
    max_compute_minutes_per_month: null,
    quotas: quotas(100, 100_000_000),
    is_active: true,
    recommended: false,
    max_jobs_in_flight: 1,
    offer: { action: 'sign_up', direction: null },
    ...changes,
  };
}

export function pro(changes: Partial<PlanOnSale> = {}): PlanOnSale {
  return plan({
    id: '0199f0aa-0000-7000-8000-0000000000f2',
    name: 'pro',
    display_name: 'Pro',
    price_cents: 1999,
    billing_period: 'monthly',
    features: { api_access: true, sso: true },
    rate_limits: { api: { requests: 5_000, per_seconds: 60, burst: 500 } },
    quotas: quotas(10_000, null),
    recommended: true,
    max_jobs_in_flight: null,
    ...changes,
  });
}

type Scope = RateLimits['scopes'][string];

/** 100 requests a minute, of which three are spent. */
export function rateLimits(scope: Partial<Scope> = {}, inFlight: Partial<RateLimits['jobs_in_flight']> = {}): RateLimits {
  return {
    base_limit: 100,
    multiplier: 1,
    effective_limit: 100,
    plan_name: 'free',
    scopes: {
      api: { requests: 100, per_seconds: 60, burst: 50, remaining: 47, full_at: '2026-11-23T13:05:02Z', ...scope },
    },
    jobs_in_flight: { limit: 5, used: 2, remaining: 3, ...inFlight },
  };
}
