import { useQuery } from '@tanstack/react-query';
import { usageQuery } from '../api/queries';
import type { MeterUsage } from '../api/types';
import { texts } from '../texts';
import { formatClock, zoneName } from '../texts/format';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Placeholder } from '../ui/Placeholder';
import { meterName, type Reader } from './meterText';
import { UsageBar } from './UsageBar';
import classes from './UsageBar.module.css';

interface UsagePanelProps {
  readonly reader: Reader;
  /** The key of the one meter to show, on its own page; else all of the plan, each with the way to its page. */
  readonly only?: string;
}

/**
 * The meters of the plan. Whether the numbers are stale is told by our own loading, never by comparing `as_of`
 * with this machine's clock: an account in test mode has a clock of its own.
 */
export function UsagePanel({ reader, only }: UsagePanelProps) {
  const usage = useQuery(usageQuery);
  const retry = (): void => void usage.refetch();

  if (usage.isPending) return <UsageSkeleton only={only} />;
  if (usage.data === undefined) {
    const { failed, failedDetail } = texts.usage;
    return <ErrorNotice error={usage.error} title={failed} still={failedDetail} onRetry={retry} />;
  }
  const meters = usage.data.meters.filter(({ meter }) => only === undefined || meter === only);
  const loadedAt = new Date(usage.dataUpdatedAt).toISOString();
  return (
    <>
      {usage.isError && (
        <ErrorNotice
          tone="near"
          error={usage.error}
          title={texts.usage.stale(formatClock(loadedAt, reader.zone, reader.now))}
          onRetry={retry}
        />
      )}
      {meters.length === 0 && <p>{texts.usage.empty}</p>}
      <ul className={classes.list}>
        {meters.map((meter) => (
          <UsageBar key={meter.meter} meter={meter} reader={reader} linked={only === undefined} />
        ))}
      </ul>
      {meters.length > 0 && (
        <p className={classes.asOf}>
          {texts.usage.allAsOf(formatClock(oldest(meters), reader.zone, reader.now), zoneName(reader.zone))}
        </p>
      )}
      {meters.some((meter) => meter.held > 0) && <p className={classes.foot}>{texts.usage.heldHint}</p>}
    </>
  );
}

/** All numbers are at least as new as this. */
function oldest(meters: readonly MeterUsage[]): string {
  return meters.map((meter) => meter.as_of).reduce((one, other) => (Date.parse(one) <= Date.parse(other) ? one : other));
}

/** Rows of the usual height, so that nothing moves when the numbers arrive. Never a 0 that is not known. */
function UsageSkeleton({ only }: { readonly only: string | undefined }) {
  return (
    <ul className={classes.list} aria-busy="true" aria-label={texts.usage.heading}>
      {(only === undefined ? Object.values(texts.meters) : [meterName(only)]).map((name) => (
        <li key={name} className={classes.row}>
          <div className={classes.head}>
            <h3 className={classes.name}>{name}</h3>
            <span className={classes.amount}>
              <Placeholder width={96} height={16} line={24} />
            </span>
          </div>
          <div className={classes.head}>
            <Placeholder width="100%" height={12} line={24} />
          </div>
          <p className={classes.foot}>
            <Placeholder width={144} height={14} line={24} />
          </p>
        </li>
      ))}
    </ul>
  );
}
