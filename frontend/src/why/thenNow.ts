import type { Explained } from '../api/types';
import { texts } from '../texts';
import { formatCount, formatMoment } from '../texts/format';
import { formatAmount } from '../usage/amount';
import type { Reader } from '../usage/meterText';
import type { UnitOf } from '../usage/units';
import { ruleName } from './ruleText';

export interface Compared {
  readonly name: string;
  readonly then: string;
  readonly now: string;
}

export function answerNow({ allowed, rule }: Explained['now']): string {
  const words = texts.why;
  if (allowed === null) return words.unknown;
  if (allowed) return words.allowed;
  return rule === null ? words.refused : words.refusedBy(ruleName(rule));
}

/** The numbers of a refusal beside those of now, row by row; what is known of neither is left out. */
export function compared(decision: Explained, unitOf: UnitOf, reader: Reader): Compared[] {
  const { now } = decision;
  const words = texts.why;
  const unit = unitOf(decision.meter);
  const plan = (name: string, version: number) => words.planValue(name, formatCount(version));
  const amount = (value: number | null) => (value === null ? null : formatAmount(value, unit));
  const at = (iso: string | null) => (iso === null ? null : formatMoment(iso, reader.zone, reader.now));
  const left = decision.rules.find(({ rule, outcome }) => rule === 'rate' && outcome === 'failed')?.remaining;
  // Where something is counted now, a limit that is not there is none; elsewhere it is not known.
  const limitNow = now.limit === null && now.used !== null ? words.unlimited : amount(now.limit);
  const rows: readonly (readonly [string, string | null, string | null])[] = [
    [words.rows.used, amount(decision.used), amount(now.used)],
    [words.rows.held, amount(decision.held), amount(now.held)],
    [words.rows.limit, amount(decision.limit), limitNow],
    ...(typeof left === 'number' ? ([[words.rows.left, formatCount(left), amount(now.remaining)]] as const) : []),
    [words.rows.asked, amount(decision.requested), amount(decision.requested)],
    [words.rows.resets, at(decision.meter === null ? null : decision.window_end), at(now.resets_at)],
  ];
  const failed = decision.rules.find(({ outcome }) => outcome === 'failed')?.rule;
  return [
    {
      name: words.answer,
      then: typeof failed === 'string' ? words.refusedBy(ruleName(failed)) : words.refused,
      now: answerNow(now),
    },
    {
      name: words.plan,
      then: plan(decision.plan, decision.plan_version),
      now: plan(now.plan, now.plan_version),
    },
    ...rows.flatMap(([name, before, after]) =>
      before === null && after === null ? [] : [{ name, then: before ?? '–', now: after ?? '–' }],
    ),
  ];
}
