import type { MeterUsage } from '../api/types';
import { texts } from '../texts';
import { formatClock, knownZone, zoneName } from '../texts/format';
import { ErrorNotice } from '../ui/ErrorNotice';
import classes from './History.module.css';
import { HistorySkeleton } from './HistorySkeleton';
import type { Reader } from './meterText';
import type { Period } from './period';
import { SeriesChart } from './SeriesChart';
import { seriesRows } from './seriesRows';
import { SeriesTable } from './SeriesTable';
import { useSeries } from './useSeries';

interface SeriesPartProps {
  readonly meter: MeterUsage;
  readonly period: Period;
  readonly reader: Reader;
}

/** Usage of one meter over a period: the chart, the table with its numbers, and from when they are. */
export function SeriesPart({ meter, period, reader }: SeriesPartProps) {
  const series = useSeries(meter, period, false);
  const words = texts.history;
  const retry = (): void => void series.refetch();
  if (series.isPending) return <HistorySkeleton />;
  if (series.data === undefined) {
    return <ErrorNotice error={series.error} title={words.failed} still={words.failedDetail} onRetry={retry} />;
  }
  const { unit, step } = series.data;
  const rows = seriesRows(series.data);
  const zone = knownZone(series.data.time_zone);
  const time = formatClock(series.data.as_of, zone, reader.now);
  return (
    <>
      {series.isError && <ErrorNotice tone="near" error={series.error} title={words.stale(time)} onRetry={retry} />}
      {rows.every(({ amount, level }) => amount === 0 && !level) && <p className={classes.quiet}>{words.empty}</p>}
      <div className={classes.beside}>
        <SeriesChart rows={rows} unit={unit} />
        <SeriesTable
          caption={words.table(meter.name, words.last(words.periods[period]))}
          rows={rows}
          unit={unit}
          step={step}
          isGauge={meter.kind === 'gauge'}
        />
      </div>
      <p className={classes.asOf}>{words.asOf(time, zoneName(zone))}</p>
    </>
  );
}
