import { NativeSelect, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { publicPlansQuery } from '../../../api/queries';
import { texts } from '../../../texts';
import { ErrorNotice } from '../../../ui/ErrorNotice';
import { daysOf } from './days';

interface PlanFieldsProps {
  readonly plan: string | undefined;
  readonly onPlan: (plan: string) => void;
  readonly days: string;
  readonly onDays: (days: string) => void;
  /** Whether it was tried with what is there. */
  readonly isTried: boolean;
}

/** Which plan on sale, and for how long. */
export function PlanFields({ plan, onPlan, days, onDays, isTried }: PlanFieldsProps) {
  const plans = useQuery(publicPlansQuery);
  const words = texts.adminUser.assign;
  return (
    <>
      {plans.isError && (
        <ErrorNotice error={plans.error} title={texts.plans.failed} onRetry={() => void plans.refetch()} />
      )}
      <NativeSelect
        label={words.plan}
        data={plans.data?.plans.map(({ name, display_name: label }) => ({ value: name, label })) ?? []}
        value={plan ?? ''}
        onChange={(event) => onPlan(event.currentTarget.value)}
      />
      <TextInput
        label={words.days}
        description={words.daysHint}
        inputMode="numeric"
        autoComplete="off"
        value={days}
        error={isTried && daysOf(days) === null ? words.daysWrong : undefined}
        onChange={(event) => onDays(event.currentTarget.value)}
      />
    </>
  );
}
