import type { UseQueryResult } from '@tanstack/react-query';
import type { PlanOnSale } from '../api/types';
import { texts } from '../texts/en';
import { formatClock } from '../texts/format';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Placeholder } from '../ui/Placeholder';
import type { Reader } from '../usage/meterText';
import classes from './Plans.module.css';
import { PlanTable } from './PlanTable';

interface PlansProps {
  readonly query: UseQueryResult<{ readonly plans: readonly PlanOnSale[] }>;
  readonly reader: Reader;
}

/** All plans on sale, in every state that they can be in. */
export function Plans({ query, reader }: PlansProps) {
  const retry = (): void => void query.refetch();
  if (query.isPending) return <PlansSkeleton />;
  if (query.data === undefined) {
    return (
      <ErrorNotice error={query.error} title={texts.plans.failed} still={texts.plans.failedDetail} onRetry={retry} />
    );
  }
  const loadedAt = new Date(query.dataUpdatedAt).toISOString();
  return (
    <>
      {query.isError && (
        <ErrorNotice
          tone="near"
          error={query.error}
          title={texts.plans.stale(formatClock(loadedAt, reader.zone, reader.now))}
          onRetry={retry}
        />
      )}
      {query.data.plans.length === 0 ? <p className={classes.no}>{texts.plans.empty}</p> : <PlanTable plans={query.data.plans} />}
    </>
  );
}

const LINES = 14;

function PlansSkeleton() {
  return (
    <div aria-busy="true">
      {Array.from({ length: LINES }, (_, line) => (
        <Placeholder key={line} width="100%" height={20} line={44} />
      ))}
    </div>
  );
}
