import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState, type SyntheticEvent } from 'react';
import { api } from '../api/client';
import { answerOf } from '../api/problem';
import { PasswordField } from '../auth/fields';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { codeOf } from './refusal';
import classes from './Settings.module.css';

interface TurnOffFormProps {
  readonly onDone: () => void;
  readonly onCancel: () => void;
}

/** The proof that whoever turns the second factor off is the user, and not somebody at their keyboard. */
export function TurnOffForm({ onDone, onCancel }: TurnOffFormProps) {
  const [password, setPassword] = useState('');
  const [sent, setSent] = useState(false);
  const words = texts.secondFactor;
  const leave = useMutation({
    mutationFn: () => answerOf(api.POST('/v1/auth/2fa/disable', { body: { password } })),
    onSuccess: onDone,
  });
  const isWrong = codeOf(leave.error) === 'proof_refused';

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setSent(true);
    if (password !== '') leave.mutate();
  }

  return (
    <>
      <p>{words.turnOffLead}</p>
      {leave.isError && !isWrong && <ErrorNotice error={leave.error} title={words.failed} />}
      <form className={classes.form} onSubmit={submit} noValidate>
        <PasswordField
          value={password}
          onChange={setPassword}
          fault={isWrong ? words.wrong : sent && password === '' ? texts.fields.passwordMissing : null}
        />
        <div className={classes.row}>
          <Button type="submit" size="md" loading={leave.isPending}>
            {words.turnOff}
          </Button>
          <Button variant="default" size="md" onClick={onCancel}>
            {words.cancel}
          </Button>
        </div>
      </form>
    </>
  );
}
