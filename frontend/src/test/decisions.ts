import type { Denial, Explained } from '../api/types';

export const DECISION = '019ab000-0000-7000-8000-000000000009';

const stack = {
  plan_limit: 500,
  overrides: [{ id: 'a', kind: 'add', amount: 50, ends_at: '2026-11-30T23:00:00Z' }],
};

/** One refusal of a job, at 14:03:12 in Berlin: 500 + 50 are used up. */
export function denial(changes: Partial<Denial> = {}): Denial {
  return {
    id: DECISION,
    code: 'quota_exceeded',
    meter: 'jobs',
    scope: null,
    method: 'POST',
    path: '/v1/usage/consume',
    used: 549,
    held: 1,
    limit: 550,
    requested: 1,
    plan: 'pro',
    plan_version: 3,
    window_start: '2026-10-31T23:00:00Z',
    window_end: '2026-11-30T23:00:00Z',
    first_at: '2026-11-23T13:03:12Z',
    last_at: '2026-11-23T13:03:12Z',
    count: 1,
    request_ids: ['req_01JD'],
    ...changes,
  };
}

export function explained(changes: Partial<Explained> = {}): Explained {
  return {
    ...denial(),
    decision_ids: [DECISION],
    rules: [
      { rule: 'credential', outcome: 'passed', kind: 'personal_key', key_id: 'k' },
      { rule: 'account', outcome: 'passed', status: 'active' },
      {
        rule: 'subscription',
        outcome: 'passed',
        plan: 'pro',
        version: 3,
        status: 'active',
        period_start: '2026-10-31T23:00:00Z',
        period_end: '2026-11-30T23:00:00Z',
      },
      { rule: 'rate', outcome: 'passed', scope: 'api', limit: 500, per_seconds: 60, burst: 500, remaining: 288 },
      { rule: 'quota', outcome: 'failed', meter: 'jobs', used: 549, held: 1, limit: 550, requested: 1, ...stack },
      { rule: 'spend_cap', outcome: 'not_reached' },
    ],
    key: { id: 'k', name: 'prod', prefix: 'fk_live_a3f9', state: 'active' },
    subject: null,
    time_zone: 'Europe/Berlin',
    now: {
      as_of: '2026-11-23T13:05:00Z',
      allowed: false,
      rule: 'quota',
      plan: 'pro',
      plan_version: 3,
      used: 550,
      held: 0,
      limit: 550,
      remaining: 0,
      resets_at: '2026-11-30T23:00:00Z',
      fixes: [
        { kind: 'wait', text: 'Wait until 2026-12-01, 00:00 (Europe/Berlin).', at: '2026-11-30T23:00:00Z' },
        { kind: 'upgrade', text: 'Move to Enterprise.', plan: 'enterprise', url: 'http://localhost:5173/app/plans' },
      ],
    },
    ...changes,
  };
}
