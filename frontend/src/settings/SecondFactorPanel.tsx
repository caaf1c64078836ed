import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api } from '../api/client';
import { answerOf } from '../api/problem';
import { meQuery } from '../api/queries';
import type { Enrolment, Me } from '../api/types';
import { texts } from '../texts';
import { formatCount } from '../texts/format';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Notice } from '../ui/Notice';
import { EnrolmentForm } from './EnrolmentForm';
import { RecoveryCodes } from './RecoveryCodes';
import { TurnOffForm } from './TurnOffForm';
import classes from './Settings.module.css';

const FEW = 3;

type Stage =
  | { readonly at: 'rest' }
  | { readonly at: 'enrolling'; readonly enrolment: Enrolment }
  | { readonly at: 'codes'; readonly codes: readonly string[] }
  | { readonly at: 'leaving' };

/** A second factor: set up, kept an eye on, turned off. */
export function SecondFactorPanel({ me }: { readonly me: Me }) {
  const [stage, setStage] = useState<Stage>({ at: 'rest' });
  const client = useQueryClient();
  const begin = useMutation({
    mutationFn: () => answerOf(api.POST('/v1/auth/2fa/enable-init')),
    onSuccess: (enrolment) => setStage({ at: 'enrolling', enrolment }),
  });
  const words = texts.secondFactor;

  function rest() {
    setStage({ at: 'rest' });
    void client.invalidateQueries({ queryKey: meQuery.queryKey });
  }

  if (stage.at === 'enrolling') {
    return (
      <EnrolmentForm
        enrolment={stage.enrolment}
        onConfirmed={(codes) => setStage({ at: 'codes', codes })}
        onCancel={rest}
      />
    );
  }
  if (stage.at === 'codes') return <RecoveryCodes codes={stage.codes} onDone={rest} />;
  if (stage.at === 'leaving') return <TurnOffForm onDone={rest} onCancel={() => setStage({ at: 'rest' })} />;
  if (!me.mfa_enabled) {
    return (
      <>
        <p>{words.off}</p>
        {begin.isError && <ErrorNotice error={begin.error} title={words.failed} />}
        <div className={classes.row}>
          <Button variant="default" loading={begin.isPending} onClick={() => begin.mutate()}>
            {words.setUp}
          </Button>
        </div>
      </>
    );
  }
  const left = me.recovery_codes_left ?? 0;
  return (
    <>
      <p>
        {words.on} {words.left(formatCount(left))}
      </p>
      {left <= FEW && <Notice tone="near" title={words.few} />}
      <div className={classes.row}>
        <Button variant="default" onClick={() => setStage({ at: 'leaving' })}>
          {words.turnOff}
        </Button>
      </div>
    </>
  );
}
