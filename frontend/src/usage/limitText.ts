import type { MeterUsage } from '../api/types';
import { texts } from '../texts';
import { formatMoment } from '../texts/format';
import { formatAmount } from './amount';
import type { Reader } from './meterText';

/** What an operator gave beside the plan, in base units: `set` stands in its place, `add` comes on top. */
export interface Given {
  readonly kind: string;
  /** Null is unlimited. */
  readonly amount: number | null;
}

interface Making {
  /** Null is unlimited. */
  readonly plan: number | null;
  /** In the order in which they are applied. */
  readonly overrides: readonly Given[];
  readonly unit: string;
}

/** How a limit comes about: "500 + 50 = 550", "550 instead of 500"; null where it is the plan's own. */
export function makingText({ plan, overrides, unit }: Making, words = texts.limitMaking.short): string | null {
  if (overrides.length === 0) return null;
  const said = (amount: number | null) => (amount === null ? texts.limitMaking.unlimited : formatAmount(amount, unit));
  const set = overrides.findLast(({ kind }) => kind === 'set');
  const added = overrides.flatMap(({ kind, amount }) => (kind === 'add' && amount !== null ? [amount] : []));
  const base = set === undefined ? plan : set.amount;
  const begin = set === undefined ? words.plan(said(plan)) : words.instead(said(set.amount), said(plan));
  // Nothing makes more of what has no end.
  if (base === null || added.length === 0) return begin;
  const sum = added.reduce((before, amount) => before + amount, base);
  const parts = added.reduce((before, amount) => texts.limitMaking.plus(before, words.override(said(amount))), begin);
  return texts.limitMaking.sum(parts, said(sum));
}

type Override = MeterUsage['overrides'][number];

/** One of them in words: what it gives, until when, and why. */
export function overrideText({ kind, amount, ends_at: ends }: Override, unit: string, reader: Reader): string {
  const words = texts.limitMaking;
  const said = amount === null ? words.unlimited : formatAmount(amount, unit);
  const until = ends === null ? words.untilTakenBack : words.until(formatMoment(ends, reader.zone, reader.now));
  return kind === 'add' ? words.added(said, until) : words.set(said, until);
}
