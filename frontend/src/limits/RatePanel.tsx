import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { rateLimitsQuery } from '../api/queries';
import { texts } from '../texts';
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
  if (query.isPending) return <RateSkeleton />;
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
        {rateRows(query.data, reader).map(({ key, ...row }) => (
          <Limit key={key} {...row} />
        ))}
      </dl>
    </>
  );
}

interface LimitProps {
  readonly name: string;
  readonly allowed: ReactNode;
  readonly left: ReactNode;
  readonly full: ReactNode;
}

function Limit({ name, allowed, left, full }: LimitProps) {
  const words = texts.limits;
  return (
    <div className={classes.limit}>
      <dt>{name}</dt>
      <dd>
        <span className={classes.term}>{words.allowed}</span> {allowed}
      </dd>
      <dd>
        <span className={classes.term}>{words.left}</span> <strong>{left}</strong>
      </dd>
      <dd>
        <span className={classes.term}>{words.full}</span> {full}
      </dd>
    </div>
  );
}

/** The usual limits without their numbers, so that nothing moves when those arrive. */
function RateSkeleton() {
  const words = texts.limits;
  const value = <Placeholder width={72} height={16} line={24} />;
  return (
    <>
      <p className={classes.lead}>{words.ratesLead}</p>
      <dl className={classes.limits} aria-busy="true">
        {[...Object.values(words.scopes), words.atOnce].map((name) => (
          <Limit key={name} name={name} allowed={value} left={value} full={value} />
        ))}
      </dl>
    </>
  );
}
