import { describe, expect, it } from 'vitest';
import type { PlanOnSale } from '../api/types';
import { plan, pro } from '../test/plans';
import { limitText, planRows, priceText } from './planRows';

function row(key: string, plans: readonly PlanOnSale[]) {
  return planRows(plans).find((candidate) => candidate.key === key);
}

describe('priceText', () => {
  it.each([
    ['nothing', plan(), 'Free'],
    ['a month', pro(), '$19.99 a month'],
    ['a year', pro({ billing_period: 'yearly' }), '$19.99 a year'],
    ['once', pro({ billing_period: null }), '$19.99'],
    ['a currency without cents', pro({ currency: 'JPY' }), '¥1,999 a month'],
  ])('tells the price: %s', (_name, sold, text) => {
    expect(priceText(sold)).toBe(text);
  });
});

describe('limitText', () => {
  it.each([
    [null, 'byte', 'Unlimited'],
    [0, 'byte', 'None'],
    [100_000_000, 'byte', '100 MB'],
    [3_600, 'second', '60 mins'],
    [10_000, 'call', '10,000'],
  ])('%s of %s is "%s"', (limit, unit, text) => {
    expect(limitText(limit, unit).replaceAll(/\s/g, ' ')).toBe(text);
  });
});

describe('planRows', () => {
  it('has a line for each quota, the rate limit, the jobs at once and each feature, in this order', () => {
    expect(planRows([plan(), pro()]).map(({ label, values }) => [label, ...values])).toEqual([
      ['API calls a day', '100', '10,000'],
      ['Storage at any time', '100 MB', 'Unlimited'],
      ['API requests', '100 in 60 seconds', '5,000 in 60 seconds'],
      ['Jobs at once', '1', 'Unlimited'],
      ['API access', 'Yes', 'Yes'],
      ['Single sign-on', 'No', 'Yes'],
    ]);
  });

  it('says of a meter that only one plan has that the other contains none of it', () => {
    const quotas = plan().quotas.slice(0, 1);
    expect(row('storage', [plan({ quotas }), pro()])?.values).toEqual(['None', 'Unlimited']);
  });

  it('takes the window from the plan that contains the meter', () => {
    const nothing = plan().quotas.map((quota) => ({ ...quota, limit: 0, window: 'period' as const }));
    expect(row('api_calls', [plan({ quotas: nothing }), pro()])?.label).toBe('API calls a day');
  });

  it('says no to a feature that a plan does not name', () => {
    expect(row('feature-sso', [plan({ features: {} }), pro()])?.values).toEqual(['No', 'Yes']);
  });

  it('tells first what more plans have, in whatever order the server names the features', () => {
    const all = [plan({ features: { sso: false, api_access: true } }), pro({ features: { sso: true, api_access: true } })];
    const labels = planRows(all).map(({ label }) => label);
    expect(labels.slice(-2)).toEqual(['API access', 'Single sign-on']);
  });

  it('names a feature that it has no words for by its key', () => {
    expect(row('feature-night_mode', [plan({ features: { night_mode: true } })])?.label).toBe('night mode');
  });
});
