import { useQuery } from '@tanstack/react-query';
import { rateLimitsQuery } from '../api/queries';
import { texts } from '../texts/en';
import { formatClock } from '../texts/format';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Placeholder } from '../ui/Placeholder';
import type { Reader } from '../usage/meterText';
import classes from './Limits.module.css';
import { rateRows } from './rateRows';

/** Limits on what happens close together, with what is left of each. */
export function RatePanel({ reader }: { readonly reader: Reader }) {
  const query = useQuery(rateLimitsQuery);
  const retry = (): void => void query.refetch();
  const words = texts.limits;
  if (query.isPending) return <Placeholder width="100%" height={120} line={144} />;
  if (query.data === undefined) {
    return <ErrorNotice error={query.error} title={words.failed} still={words.failedDetail} onRetry={retry} />;
  }
  const loadedAt = new Date(query.dataUpdatedAt).toISOString();
  return (
    <>
      <p className={classes.lead}>{words.ratesLead}</p>
      {query.isError && (
        <ErrorNotice
          tone="near"
          error={query.error}
          title={words.stale(formatClock(loadedAt, reader.zone, reader.now))}
          onRetry={retry}
        />
      )}
      <dl className={classes.limits}>
        {rateRows(query.data, reader).map((row) => (
          <div key={row.key} className={classes.limit}>
            <dt>{row.name}</dt>
            <dd>
              <span className={classes.term}>{words.allowed}</span> {row.allowed}
            </dd>
            <dd>
              <span className={classes.term}>{words.left}</span> <strong>{row.left}</strong>
            </dd>
            <dd>
              <span className={classes.term}>{words.full}</span> {row.full}
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}
