import { Textarea } from '@mantine/core';
import { texts } from '../../../texts';
import { hintWithRoom } from '../../../ui/roomText';

const MOST = 500;

interface ReasonFieldProps {
  readonly label: string;
  readonly hint: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  /** Whether it was tried without one. */
  readonly isMissed: boolean;
}

/** Why something is done: it is kept with it. */
export function ReasonField({ label, hint, value, onChange, isMissed }: ReasonFieldProps) {
  return (
    <Textarea
      label={label}
      description={hintWithRoom(hint, value, MOST)}
      rows={2}
      maxLength={MOST}
      value={value}
      error={isMissed && value.trim() === '' ? texts.adminUser.reasonMissing : undefined}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}
