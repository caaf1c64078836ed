import { SegmentedControl } from '@mantine/core';
import { texts } from '../texts';
import classes from './History.module.css';
import { isPeriod, PERIODS, type Period } from './period';

interface PeriodPickerProps {
  readonly value: Period;
  readonly onChange: (period: Period) => void;
}

/** How long back usage is shown. */
export function PeriodPicker({ value, onChange }: PeriodPickerProps) {
  const words = texts.history;
  return (
    <SegmentedControl
      aria-label={words.period}
      className={classes.periods}
      data={Object.keys(PERIODS).filter(isPeriod).map((period) => ({ value: period, label: words.periods[period] }))}
      value={value}
      onChange={onChange}
    />
  );
}
