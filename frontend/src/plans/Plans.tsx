import type { UseQueryResult } from '@tanstack/react-query';
import type { PlanOnSale } from '../api/types';
import { texts } from '../texts';
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
      {query.data.plans.length === 0 ? (
        <p className={classes.no}>{texts.plans.empty}</p>
      ) : (
        <PlanTable plans={query.data.plans} />
      )}
    </>
  );
}

/** What the usual plans say after their price, which may take two lines as the rate limit does. */
const usualLines = () => [
  { key: 'description', tall: true },
  ...Object.keys(texts.meters).map((key) => ({ key, tall: false })),
  { key: 'rate', tall: true },
  { key: 'at-once', tall: false },
  ...Object.keys(texts.plans.features).map((key) => ({ key, tall: false })),
];

/** Lines as high as those of the table, so that nothing moves when it arrives. */
function PlansSkeleton() {
  return (
    <div className={classes.skeleton} aria-busy="true">
      <div className={classes.headLine}>
        <Placeholder width="60%" height={20} line={28} />
      </div>
      <div className={classes.tallLine}>
        <Placeholder width="80%" height={16} line={24} />
      </div>
      {usualLines().map(({ key, tall }) => (
        <div key={key} className={tall ? classes.tallLine : classes.line}>
          <Placeholder width="100%" height={16} line={24} />
        </div>
      ))}
      <div className={classes.footLine} />
    </div>
  );
}
