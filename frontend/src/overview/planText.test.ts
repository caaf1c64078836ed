import { describe, expect, it } from 'vitest';
import type { SubscriptionAnswer, UsageAnswer } from '../api/types';
import { berlin } from '../test/meters';
import { plan, pro } from '../test/plans';
import { planFacts } from './planText';

type Subscription = NonNullable<SubscriptionAnswer['subscription']>;

const END = '2026-11-28T11:00:00Z';

function subscription(changes: Partial<Subscription> = {}): Subscription {
  return {
    id: '0199f0aa-0000-7000-8000-0000000000c1',
    user_id: null,
    plan_id: pro().id,
    status: 'active',
    started_at: '2026-10-28T11:00:00Z',
    expires_at: null,
    cancelled_at: null,
    current_period_start: '2026-10-28T11:00:00Z',
    current_period_end: END,
    trial_end: null,
    cancel_at_period_end: false,
    ...changes,
  };
}

const lines = (changes: Partial<Subscription>) =>
  planFacts({ plan: pro(), subscription: subscription(changes) }, undefined, berlin).map(({ value, note }) => [value, note]);
const [name, price, period] = [0, 1, 2];

describe('planFacts', () => {
  it('says what is charged, and when it renews, of a plan that goes on', () => {
    expect(lines({})).toEqual([
      ['Pro', 'Active'],
      ['$19.99', 'a month'],
      [expect.stringContaining('Berlin'), 'Renews 28 Nov, 12:00 Berlin'],
    ]);
  });

  it('says that it ends, and names no price, of a plan that was assigned for some days', () => {
    const found = lines({ expires_at: END });
    expect(found[name]?.[1]).toBe('Ends 28 Nov, 12:00 Berlin, then the default plan applies');
    expect(found[price]).toEqual(['Nothing', 'Assigned by whoever runs this service']);
    expect(found[period]?.[1]).toBe('');
  });

  it('says both of one that ends in a later period', () => {
    const found = lines({ expires_at: '2027-01-28T11:00:00Z' });
    expect(found[name]?.[1]).toBe('Ends 28 Jan 2027, 12:00 Berlin, then the default plan applies');
    expect(found[period]?.[1]).toBe('Renews 28 Nov, 12:00 Berlin');
  });

  it('says that a cancelled one ends with its period', () => {
    const found = lines({ cancel_at_period_end: true });
    expect(found[name]?.[1]).toContain('Ends 28 Nov, 12:00 Berlin');
    expect(found[price]).toEqual(['$19.99', 'a month']);
    expect(found[period]?.[1]).toBe('');
  });

  it('tells until when a trial is', () => {
    expect(lines({ status: 'trial', trial_end: END })[name]?.[1]).toBe('Trial until 28 Nov, 12:00 Berlin');
  });

  it('renews nothing where there is no subscription: the count starts anew', () => {
    const usage = { usage: { period_start: '2026-10-31T23:00:00Z', period_end: '2026-11-30T23:00:00Z' } } as UsageAnswer;
    expect(planFacts({ plan: plan(), subscription: null }, usage, berlin).map(({ value, note }) => [value, note])).toEqual([
      ['Free', 'No subscription is needed for this plan.'],
      ['Free', ''],
      [expect.stringMatching(/^1\s?–\s?30 Nov 2026$/), 'Usage starts anew 1 Dec, 00:00 Berlin'],
    ]);
  });
});
