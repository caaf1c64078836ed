import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api } from '../../../api/client';
import { answerOf } from '../../../api/problem';
import { publicPlansQuery } from '../../../api/queries';
import { texts } from '../../../texts';
import { Act } from './Act';
import { pathOf, type ActProps } from './actProps';
import { daysOf } from './days';
import { PlanFields } from './PlanFields';

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
        <PlanFields plan={plan} onPlan={setChosen} days={days} onDays={setDays} isTried={isTried} />
      }
    />
  );
}
