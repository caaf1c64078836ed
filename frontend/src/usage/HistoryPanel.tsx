import { Switch } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import type { MeterUsage } from '../api/types';
import { texts } from '../texts';
import { DownloadCsv } from './DownloadCsv';
import classes from './History.module.css';
import { KeysPart } from './KeysPart';
import type { Reader } from './meterText';
import type { Period } from './period';
import { PeriodPicker } from './PeriodPicker';
import { SeriesPart } from './SeriesPart';

interface HistoryPanelProps {
  readonly meter: MeterUsage;
  readonly period: Period;
  readonly byKey: boolean;
  readonly reader: Reader;
}

/** Usage of one meter over time. What is chosen here is kept in the address. */
export function HistoryPanel({ meter, period, byKey, reader }: HistoryPanelProps) {
  const navigate = useNavigate();
  const show = (shown: Period, keys: boolean): void =>
    void navigate({
      to: '/app/usage/$meter',
      params: { meter: meter.meter },
      search: { period: shown, ...(keys ? { by: 'key' } : {}) },
      resetScroll: false,
    });
  return (
    <>
      <div className={classes.tools}>
        <PeriodPicker value={period} onChange={(chosen) => show(chosen, byKey)} />
        <Switch
          className={classes.switch}
          label={texts.history.byKey}
          withThumbIndicator={false}
          checked={byKey}
          onChange={(event) => show(period, event.currentTarget.checked)}
        />
        <DownloadCsv key={period} meter={meter} period={period} />
      </div>
      <SeriesPart meter={meter} period={period} reader={reader} />
      {byKey && (
        <>
          <h3 className={classes.part}>{texts.history.byKey}</h3>
          <KeysPart meter={meter} period={period} reader={reader} />
        </>
      )}
    </>
  );
}
