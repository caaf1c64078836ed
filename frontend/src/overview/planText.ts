import type { SubscriptionAnswer, UsageAnswer } from '../api/types';
import { texts } from '../texts';
import { formatDay, formatMoment, formatMoney, formatPeriod } from '../texts/format';
import type { Reader } from '../usage/meterText';

/** One value of the plan with the quieter line below it. */
export interface PlanFact {
  readonly term: string;
  readonly value: string;
  readonly note: string;
}

/** The plan, its price and its period. The period needs the usage, which alone knows it without a subscription. */
export function planFacts(answer: SubscriptionAnswer, usage: UsageAnswer | undefined, reader: Reader): PlanFact[] {
  const { plan, subscription } = answer;
  const facts = [
    { term: texts.plan.name, value: plan.display_name, note: statusText(subscription, reader) },
    { term: texts.plan.price, ...price(plan) },
  ];
  const start = subscription?.current_period_start ?? usage?.usage.period_start;
  const end = subscription?.current_period_end ?? usage?.usage.period_end;
  if (start !== undefined && end !== undefined) {
    facts.push({
      term: texts.plan.period,
      value: formatPeriod(start, end, reader.zone),
      note: subscription?.cancel_at_period_end ? '' : texts.plan.renews(formatMoment(end, reader.zone, reader.now)),
    });
  }
  return facts;
}

function price(plan: SubscriptionAnswer['plan']): { value: string; note: string } {
  if (plan.price_cents === 0) return { value: formatMoney(0, plan.currency), note: texts.plan.free };
  const note = plan.billing_period === null ? '' : (texts.plan.per[plan.billing_period] ?? '');
  return { value: formatMoney(plan.price_cents, plan.currency), note };
}

function statusText(subscription: SubscriptionAnswer['subscription'], reader: Reader): string {
  const words = texts.plan.status;
  if (subscription === null) return texts.plan.noSubscription;
  if (subscription.cancel_at_period_end) {
    return words.ending(formatDay(subscription.current_period_end, reader.zone, reader.now));
  }
  if (subscription.status === 'trial') {
    const until = subscription.trial_end ?? subscription.current_period_end;
    return words.trial(formatMoment(until, reader.zone, reader.now));
  }
  return words[subscription.status];
}
