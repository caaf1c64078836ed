import type { SubscriptionAnswer, UsageAnswer } from '../api/types';
import { texts } from '../texts';
import { formatMoment, formatMoney, formatPeriod } from '../texts/format';
import type { Reader } from '../usage/meterText';

/** One value of the plan with the quieter line below it. */
export interface PlanFact {
  readonly term: string;
  readonly value: string;
  readonly note: string;
}

type Subscription = SubscriptionAnswer['subscription'];

/** The plan, its price and its period. The period needs the usage, which alone knows it without a subscription. */
export function planFacts(answer: SubscriptionAnswer, usage: UsageAnswer | undefined, reader: Reader): PlanFact[] {
  const { plan, subscription } = answer;
  const facts = [
    { term: texts.plan.name, value: plan.display_name, note: statusText(subscription, reader) },
    { term: texts.plan.price, ...price(plan, subscription) },
  ];
  const start = subscription?.current_period_start ?? usage?.usage.period_start;
  const end = subscription?.current_period_end ?? usage?.usage.period_end;
  if (start !== undefined && end !== undefined) {
    facts.push({
      term: texts.plan.period,
      value: formatPeriod(start, end, reader.zone),
      note: afterwards(subscription, end, reader),
    });
  }
  return facts;
}

/** When the plan ends by itself; null while it goes on from period to period. */
function endOf(subscription: Subscription): string | null {
  if (subscription === null) return null;
  return subscription.cancel_at_period_end ? subscription.current_period_end : subscription.expires_at;
}

/** What the end of the period brings. Where the plan ends with it, its status has said so. */
function afterwards(subscription: Subscription, end: string, reader: Reader): string {
  const ends = endOf(subscription);
  if (ends !== null && Date.parse(ends) <= Date.parse(end)) return '';
  const moment = formatMoment(end, reader.zone, reader.now);
  return subscription === null ? texts.plan.startsAnew(moment) : texts.plan.renews(moment);
}

function price(plan: SubscriptionAnswer['plan'], subscription: Subscription): { value: string; note: string } {
  if (plan.price_cents === 0) return { value: texts.plan.free, note: '' };
  // A plan until a day is one that was assigned: nobody is charged for it.
  if (subscription?.expires_at) return { value: texts.plan.nothing, note: texts.plan.assigned };
  const note = plan.billing_period === null ? '' : (texts.plan.per[plan.billing_period] ?? '');
  return { value: formatMoney(plan.price_cents, plan.currency), note };
}

function statusText(subscription: Subscription, reader: Reader): string {
  const words = texts.plan.status;
  if (subscription === null) return texts.plan.noSubscription;
  if (subscription.status === 'trial') {
    const until = subscription.trial_end ?? subscription.current_period_end;
    return words.trial(formatMoment(until, reader.zone, reader.now));
  }
  const ends = endOf(subscription);
  if (ends !== null) return words.ending(formatMoment(ends, reader.zone, reader.now));
  return words[subscription.status];
}
