import { useQuery } from '@tanstack/react-query';
import { subscriptionQuery, usageQuery } from '../api/queries';
import { texts } from '../texts';
import { formatClock } from '../texts/format';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Placeholder } from '../ui/Placeholder';
import type { Reader } from '../usage/meterText';
import classes from './Overview.module.css';
import { planFacts } from './planText';

/** The plan, its price and its period. */
export function PlanPanel({ reader }: { readonly reader: Reader }) {
  const subscription = useQuery(subscriptionQuery);
  const usage = useQuery(usageQuery);
  const retry = (): void => void subscription.refetch();

  if (subscription.isPending) return <PlanSkeleton />;
  if (subscription.data === undefined) {
    const { failed, failedDetail } = texts.plan;
    return <ErrorNotice error={subscription.error} title={failed} still={failedDetail} onRetry={retry} />;
  }
  const loadedAt = new Date(subscription.dataUpdatedAt).toISOString();
  return (
    <>
      {subscription.isError && (
        <ErrorNotice
          tone="near"
          error={subscription.error}
          title={texts.plan.stale(formatClock(loadedAt, reader.zone, reader.now))}
          onRetry={retry}
        />
      )}
      <dl className={classes.plan}>
        {planFacts(subscription.data, usage.data, reader).map(({ term, value, note }) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd className={classes.value}>{value}</dd>
            <dd className={classes.note}>{note}</dd>
          </div>
        ))}
        {usage.isPending && subscription.data.subscription === null && <FactSkeleton term={texts.plan.period} />}
      </dl>
    </>
  );
}

/** The same lines as the facts, so that nothing moves when they arrive. */
function PlanSkeleton() {
  return (
    <dl className={classes.plan} aria-busy="true">
      {[texts.plan.name, texts.plan.price, texts.plan.period].map((term) => (
        <FactSkeleton key={term} term={term} />
      ))}
    </dl>
  );
}

function FactSkeleton({ term }: { readonly term: string }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd className={classes.value}>
        <Placeholder width={144} height={20} line={28} />
      </dd>
      <dd className={classes.note}>
        <Placeholder width={176} height={14} line={20} />
      </dd>
    </div>
  );
}
