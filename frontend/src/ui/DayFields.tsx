import { TextInput } from '@mantine/core';
import { texts } from '../texts';
import { isDay, type DayRange } from '../texts/days';

interface DayFieldsProps {
  readonly range: DayRange;
  /** With the one that has changed; an empty one is taken away. */
  readonly onChange: (changed: Partial<Record<'from' | 'until', string>>) => void;
}

/** The first and the last day of a time. */
export function DayFields({ range, onChange }: DayFieldsProps) {
  return (['from', 'until'] as const).map((name) => (
    <TextInput
      key={name}
      type="date"
      label={texts.days[name]}
      value={range[name] ?? ''}
      onChange={({ currentTarget: { value } }) => {
        // While a year is typed, there is a day of the first century.
        if (value === '' || (isDay(value) && value >= '2000')) onChange({ [name]: value });
      }}
    />
  ));
}
