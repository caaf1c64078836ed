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
import { ProofForm } from './ProofForm';
import { RecoveryCodes } from './RecoveryCodes';
import { codeOf } from './refusal';
import classes from './Settings.module.css';

const FEW = 3;

type Stage =
  | { readonly at: 'rest' }
  | { readonly at: 'enrolling'; readonly enrolment: Enrolment }
  | { readonly at: 'codes'; readonly codes: readonly string[] }
  | { readonly at: 'proving' }
  | { readonly at: 'renewing' }
  | { readonly at: 'leaving' };

/** A key for an authenticator; with the password where the sign-in is too long ago. */
function enrol(password: string | null): Promise<Enrolment> {
  return answerOf(api.POST('/v1/auth/2fa/enable-init', { body: { current_password: password } }));
}

/** A second factor: set up, kept an eye on, turned off. */
export function SecondFactorPanel({ me }: { readonly me: Me }) {
  const [stage, setStage] = useState<Stage>({ at: 'rest' });
  const client = useQueryClient();
  const begin = useMutation({
    mutationFn: () => enrol(null),
    onSuccess: (enrolment) => setStage({ at: 'enrolling', enrolment }),
    onError: (error) => {
      if (codeOf(error) === 'proof_needed') setStage({ at: 'proving' });
    },
  });
  const words = texts.secondFactor;

  function rest() {
    begin.reset();
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
  if (stage.at === 'proving') {
    return (
      <ProofForm
        kinds={['password']}
        lead={words.proveFirst}
        submit={words.goOn}
        prove={({ value }) => enrol(value)}
        onDone={(enrolment) => setStage({ at: 'enrolling', enrolment })}
        onCancel={rest}
      />
    );
  }
  if (stage.at === 'renewing') {
    return (
      <ProofForm
        kinds={me.has_password ? ['password', 'otp'] : ['otp']}
        lead={words.renewLead}
        submit={words.renew}
        prove={({ kind, value }) => {
          const body = kind === 'password' ? { current_password: value } : { otp: value };
          return answerOf(api.POST('/v1/auth/2fa/recovery-codes', { body }));
        }}
        onDone={(answer) => setStage({ at: 'codes', codes: answer.recovery_codes })}
        onCancel={rest}
      />
    );
  }
  if (stage.at === 'leaving') {
    return (
      <ProofForm
        kinds={me.has_password ? ['password', 'otp', 'recovery'] : ['otp', 'recovery']}
        lead={words.turnOffLead}
        submit={words.turnOff}
        prove={({ kind, value }) => {
          const body = { [kind === 'recovery' ? 'recovery_code' : kind]: value };
          return answerOf(api.POST('/v1/auth/2fa/disable', { body }));
        }}
        onDone={rest}
        onCancel={rest}
      />
    );
  }
  if (!me.mfa_enabled) {
    return (
      <>
        <p>{words.off}</p>
        {begin.isError && codeOf(begin.error) !== 'proof_needed' && <ErrorNotice error={begin.error} title={words.failed} />}
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
        <Button variant="default" onClick={() => setStage({ at: 'renewing' })}>
          {words.renew}
        </Button>
        <Button variant="default" onClick={() => setStage({ at: 'leaving' })}>
          {words.turnOff}
        </Button>
      </div>
    </>
  );
}
