import { TextInput } from '@mantine/core';
import { amountHint, amountWrong, hasOtherUnits } from './typedAmount';

interface AmountFieldProps {
  readonly label: string;
  /** The meter's base unit. */
  readonly unit: string;
  readonly value: string;
  readonly least: 0 | 1;
  /** Whether it was tried with what is there. */
  readonly isTried: boolean;
  readonly onChange: (text: string) => void;
}

/** An amount of a meter, in its base unit or with a unit: what it comes to is said below. */
export function AmountField({ label, unit, value, least, isTried, onChange }: AmountFieldProps) {
  return (
    <TextInput
      label={label}
      description={amountHint(value, unit)}
      inputMode={hasOtherUnits(unit) ? 'text' : 'numeric'}
      autoComplete="off"
      value={value}
      error={isTried ? amountWrong(value, unit, least) : null}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}
