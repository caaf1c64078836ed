import type { MeterUsage } from '../api/types';
import { texts } from '../texts';
import { formatClock, knownZone } from '../texts/format';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Placeholder } from '../ui/Placeholder';
import classes from './History.module.css';
import { KeyTable } from './KeyTable';
import type { Reader } from './meterText';
import type { Period } from './period';
import { keySums } from './seriesRows';
import { useSeries } from './useSeries';

interface KeysPartProps {
  readonly meter: MeterUsage;
  readonly period: Period;
  readonly reader: Reader;
}

/** Usage of a period by the keys that it was counted with; what breaks here leaves the chart as it is. */
export function KeysPart({ meter, period, reader }: KeysPartProps) {
  const series = useSeries(meter, period, true);
  const words = texts.history;
  const retry = (): void => void series.refetch();
  if (series.isPending) return <Placeholder width="100%" height={96} line={120} />;
  if (series.data === undefined) {
    return <ErrorNotice error={series.error} title={words.keysFailed} still={words.failedDetail} onRetry={retry} />;
  }
  const { unit, keys, as_of: asOf, time_zone: zone } = series.data;
  const sums = keySums(keys ?? []);
  const time = formatClock(asOf, knownZone(zone), reader.now);
  return (
    <>
      {series.isError && (
        <ErrorNotice tone="near" error={series.error} title={words.keysStale(time)} onRetry={retry} />
      )}
      {sums.length === 0 ? (
        <p className={classes.quiet}>{words.empty}</p>
      ) : (
        <div className={classes.keys}>
          <KeyTable
            caption={words.keysTable(meter.name, words.last(words.periods[period]))}
            sums={sums}
            unit={unit}
            isGauge={meter.kind === 'gauge'}
          />
          <p className={classes.asOf}>{words.keysAsOf(time)}</p>
        </div>
      )}
    </>
  );
}
