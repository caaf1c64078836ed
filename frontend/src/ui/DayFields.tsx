import { TextInput } from '@mantine/core';
import { texts } from '../texts';
import { isDay, type DayRange } from '../texts/days';

interface DayFieldsProps {
  readonly range: DayRange;
  /** With the one that has changed; an empty one is taken away. */
  readonly onChange: (changed: Partial<Record<'from' | 'until', string>>) => void;
}

/** Whether the first day comes after the last: no day is in between. */
export function isBackwards({ from, until }: DayRange): boolean {
  return !!from && !!until && from > until;
}

/** The first and the last day of a time. */
export function DayFields({ range, onChange }: DayFieldsProps) {
  return (['from', 'until'] as const).map((name) => (
    <TextInput
      key={name}
      type="date"
      label={texts.days[name]}
      value={range[name] ?? ''}
      error={name === 'until' && isBackwards(range) ? texts.days.backwards : undefined}
      onChange={({ currentTarget: { value } }) => {
        // While a year is typed, there is a day of the first century.
        if (value === '' || (isDay(value) && value >= '2000')) onChange({ [name]: value });
      }}
    />
  ));
}
