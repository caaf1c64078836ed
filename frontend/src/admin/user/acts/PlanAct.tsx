import { NativeSelect, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api } from '../../../api/client';
import { answerOf } from '../../../api/problem';
import { publicPlansQuery } from '../../../api/queries';
import { texts } from '../../../texts';
import { ErrorNotice } from '../../../ui/ErrorNotice';
import { Act } from './Act';
import { pathOf, type ActProps } from './actProps';

const MOST_DAYS = 3_660;

/** How many days a text says; null where it is no number of days that the server would take. */
export function daysOf(text: string): number | null {
  const days = Number(text.trim());
  return text.trim() !== '' && Number.isInteger(days) && days >= 1 && days <= MOST_DAYS ? days : null;
}

/** Puts the user's account on another plan, or on the same one for longer. */
export function AssignPlan({ user }: ActProps) {
  const plans = useQuery(publicPlansQuery);
  const onSale = plans.data?.plans ?? [];
  const [chosen, setChosen] = useState<string | null>(null);
  const [days, setDays] = useState('30');
  const [isTried, setIsTried] = useState(false);
  const words = texts.adminUser.assign;
  const plan = chosen ?? onSale.find(({ name }) => name !== user.plan)?.name;
  const duration = daysOf(days);

  async function act() {
    // Neither is missing: it is not done before they are there.
    const body = { plan_name: plan ?? '', duration_days: duration ?? 1 };
    const made = await answerOf(api.POST('/v1/admin/users/{user_id}/upgrade-plan', { ...pathOf(user), body }));
    return words.done(made.plan_name);
  }

  return (
    <Act
      {...words}
      act={act}
     
      isPossible={plan !== undefined}
      isReady={() => {
        setIsTried(true);
        return duration !== null;
      }}
      fields={
        <>
          {plans.isError && (
            <ErrorNotice error={plans.error} title={texts.plans.failed} onRetry={() => void plans.refetch()} />
          )}
          <NativeSelect
            label={words.plan}
            data={onSale.map(({ name, display_name: label }) => ({ value: name, label }))}
            value={plan ?? ''}
            onChange={(event) => setChosen(event.currentTarget.value)}
          />
          <TextInput
            label={words.days}
            description={words.daysHint}
            inputMode="numeric"
            autoComplete="off"
            value={days}
            error={isTried && duration === null ? words.daysWrong : undefined}
            onChange={(event) => setDays(event.currentTarget.value)}
          />
        </>
      }
    />
  );
}
