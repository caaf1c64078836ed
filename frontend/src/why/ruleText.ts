import type { Explained } from '../api/types';
import { texts } from '../texts';
import { formatCount, formatDuration, formatPeriod } from '../texts/format';
import { formatAmount } from '../usage/amount';
import { makingText, type Given } from '../usage/limitText';
import { meterName } from '../usage/meterText';
import type { UnitOf } from '../usage/units';

/** One rule as it was written down: its name, its outcome, and its own facts. */
export type Rule = Explained['rules'][number];

interface Context {
  readonly key: Explained['key'];
  readonly unitOf: UnitOf;
  readonly zone: string;
}

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);
const number = (value: unknown): number | null => (typeof value === 'number' ? value : null);
const known = (parts: readonly (string | null)[], between = ', ') => parts.filter((part) => part !== null).join(between);

export const ruleName = (rule: string): string => texts.why.names[rule] ?? rule.replaceAll('_', ' ');

/** What a rule said, with its numbers; nothing where it was not reached. */
export function ruleText(rule: Rule, context: Context): string {
  if (rule.outcome === 'not_reached') return '';
  switch (rule.rule) {
    case 'credential':
      return credential(rule, context);
    case 'account':
      return texts.why.status[text(rule.status) ?? ''] ?? text(rule.status) ?? '';
    case 'subscription':
      return subscription(rule, context);
    case 'rate':
      return rate(rule);
    case 'feature':
      return feature(rule);
    default:
      return counted(rule, context);
  }
}

function credential(rule: Rule, { key }: Context): string {
  const words = texts.why;
  const kind = text(rule.kind) ?? '';
  if (key === null) return words.kinds[kind] ?? kind;
  return known([words.key(key.prefix, key.name), words.keyState[key.state] ?? null]);
}

function subscription(rule: Rule, { zone }: Context): string {
  const [start, end] = [text(rule.period_start), text(rule.period_end)];
  const version = number(rule.version);
  return known([
    version === null ? text(rule.plan) : texts.why.planValue(text(rule.plan) ?? '', formatCount(version)),
    start === null || end === null ? null : texts.why.period(formatPeriod(start, end, zone)),
  ]);
}

function rate(rule: Rule): string {
  const words = texts.why;
  const [limit, seconds, burst, left] = [rule.limit, rule.per_seconds, rule.burst, rule.remaining].map(number);
  const scope = text(rule.scope) ?? '';
  const name = scope === 'key' ? words.keyScope : (texts.limits.scopes[scope] ?? scope);
  const said = limit == null || seconds == null ? null : words.rate(formatCount(limit), formatDuration(seconds));
  return words.of(
    name,
    known([said, burst == null ? null : words.burst(formatCount(burst)), left == null ? null : words.left(formatCount(left))]),
  );
}

function feature(rule: Rule): string {
  const key = text(rule.feature) ?? '';
  const name = texts.plans.features[key] ?? key.replaceAll('_', ' ');
  return rule.outcome === 'failed' ? texts.why.notIncluded(name) : texts.why.included(name);
}

/** A quota, or jobs at once: "Jobs: plan 500 + override 50 = 550; used 549, held 1; asked 1". */
function counted(rule: Rule, { unitOf }: Context): string {
  const words = texts.why;
  const meter = text(rule.meter);
  if (meter === null) return '';
  const unit = unitOf(meter);
  const said = (value: unknown, say: (amount: string) => string) =>
    number(value) === null ? null : say(formatAmount(number(value) ?? 0, unit));
  const made = makingText(
    { plan: number(rule.plan_limit), overrides: overridesOf(rule), unit },
    texts.limitMaking.named,
  );
  const limit = made ?? said(rule.limit, words.limit) ?? words.limit(words.unlimited);
  const held = number(rule.held) === 0 ? null : said(rule.held, words.held);
  const taken = known([said(rule.used, words.used), held]);
  return words.of(meterName(meter), known([limit, taken === '' ? null : taken, said(rule.requested, words.asked)], '; '));
}

function overridesOf(rule: Rule): Given[] {
  if (!Array.isArray(rule.overrides)) return [];
  return rule.overrides.flatMap((one: unknown) => {
    const { kind, amount } = (one ?? {}) as { readonly kind?: unknown; readonly amount?: unknown };
    return typeof kind === 'string' ? [{ kind, amount: number(amount) }] : [];
  });
}
