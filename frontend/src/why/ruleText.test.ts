import { describe, expect, it } from 'vitest';
import { explained } from '../test/decisions';
import { knownUnit } from '../usage/units';
import { ruleName, ruleText, type Rule } from './ruleText';

const said = (rule: Rule, key = explained().key) => ruleText(rule, { key, unitOf: knownUnit, zone: 'Europe/Berlin' });

describe('what a rule said', () => {
  it('is said of each in its order, with its numbers', () => {
    const { rules } = explained();
    // Intl sets thin spaces around a dash.
    const plain = (rule: Rule) => said(rule).replaceAll(/\s/g, ' ');
    expect(rules.map((rule) => [ruleName(String(rule.rule)), plain(rule)])).toEqual([
      ['Credential', 'key fk_live_a3f9… “prod”'],
      ['Account', 'active'],
      ['Subscription', 'pro, version 3, period 1 – 30 Nov 2026'],
      ['Rate', 'API requests: 500 in 60 seconds, 500 at once, 288 left'],
      ['Quota', 'Jobs: plan 500 + override 50 = 550; used 549, held 1; asked 1'],
      ['Spend cap', ''],
    ]);
  });

  it.each<[Rule, string]>([
    [{ rule: 'credential', outcome: 'passed', kind: 'service_key' }, 'key of the host application'],
    [{ rule: 'rate', outcome: 'failed', scope: 'key', limit: 0, per_seconds: 60, burst: 0, remaining: 0 }, 'limit of the key: 0 in 60 seconds, 0 at once, 0 left'],
    [{ rule: 'feature', outcome: 'failed', feature: 'sso' }, 'Single sign-on: not in the plan'],
    [{ rule: 'concurrency', outcome: 'failed', meter: 'jobs_in_flight', used: 1, held: 0, limit: 1, requested: 1 }, 'jobs in flight: limit 1; used 1; asked 1'],
    [{ rule: 'quota', outcome: 'failed', meter: 'storage', used: 90_000_000, held: 0, limit: 100_000_000, requested: 20_000_000 }, 'Storage: limit 100 MB; used 90 MB; asked 20 MB'],
    [{ rule: 'subscription', outcome: 'passed', plan: 'free', version: 1, status: null, period_start: '2026-11-01T00:00:00Z', period_end: null }, 'free, version 1'],
    [{ rule: 'novelty', outcome: 'passed' }, ''],
  ])('%j is "%s"', (rule, words) => {
    expect(said(rule, null)).toBe(words);
  });

  it('says what became of the key since', () => {
    const key = { id: 'k', name: 'prod', prefix: 'fk_live_a3f9', state: 'revoked' } as const;
    expect(said({ rule: 'credential', outcome: 'passed', kind: 'personal_key' }, key)).toBe(
      'key fk_live_a3f9… “prod”, revoked by now',
    );
  });
});
