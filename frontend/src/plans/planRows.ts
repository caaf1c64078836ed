import type { PlanOnSale } from '../api/types';
import { texts } from '../texts';
import { formatCount, formatDuration, formatMoney } from '../texts/format';
import { formatAmount } from '../usage/amount';
import { meterName } from '../usage/meterText';

/** One line of the comparison: what it is about, and what each plan says, in the plans' order. */
export interface PlanRow {
  readonly key: string;
  readonly label: string;
  readonly values: readonly string[];
}

/** "$19.99 a month", "Free". */
export function priceText(plan: PlanOnSale): string {
  if (plan.price_cents === 0) return texts.plans.free;
  const money = formatMoney(plan.price_cents, plan.currency);
  const per = plan.billing_period === null ? undefined : texts.plans.per[plan.billing_period];
  return per === undefined ? money : `${money} ${per}`;
}

/** A limit in words: null is unlimited and 0 is nothing. */
export function limitText(limit: number | null, unit: string): string {
  if (limit === null) return texts.plans.unlimited;
  return limit === 0 ? texts.plans.nothing : formatAmount(limit, unit);
}

/** "API calls a day", "Storage at any time". The window is that of the plans that contain the meter. */
function quotaRow(meter: string, plans: readonly PlanOnSale[]): PlanRow {
  const quotas = plans.map((plan) => plan.quotas.find((quota) => quota.meter === meter));
  const window = quotas.find((quota) => quota !== undefined && quota.limit !== 0)?.window ?? quotas[0]?.window ?? 'none';
  return {
    key: meter,
    label: `${meterName(meter)} ${texts.plans.window[window] ?? ''}`.trim(),
    values: quotas.map((quota) => (quota === undefined ? texts.plans.nothing : limitText(quota.limit, quota.unit))),
  };
}

function rateText(plan: PlanOnSale): string {
  const rate = plan.rate_limits.api;
  if (rate === undefined) return texts.plans.unlimited;
  return texts.plans.rateValue(formatCount(rate.requests), formatDuration(rate.per_seconds));
}

/** Everything that the plans on sale differ in, a line each; what more of them have comes first. */
export function planRows(plans: readonly PlanOnSale[]): PlanRow[] {
  const meters = [...new Set(plans.flatMap((plan) => plan.quotas.map((quota) => quota.meter)))];
  const features = [...new Set(plans.flatMap((plan) => Object.keys(plan.features)))];
  const contain = (feature: string): number => plans.filter((plan) => plan.features[feature] === true).length;
  return [
    ...meters.map((meter) => quotaRow(meter, plans)),
    { key: 'rate', label: texts.plans.rate, values: plans.map(rateText) },
    {
      key: 'at-once',
      label: texts.plans.atOnce,
      values: plans.map((plan) => limitText(plan.max_jobs_in_flight, 'job')),
    },
    ...features.toSorted((one, other) => contain(other) - contain(one)).map((feature) => ({
      key: `feature-${feature}`,
      label: texts.plans.features[feature] ?? feature.replaceAll('_', ' '),
      values: plans.map((plan) => (plan.features[feature] === true ? texts.plans.yes : texts.plans.no)),
    })),
  ];
}
