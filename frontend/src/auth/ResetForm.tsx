import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState, type SyntheticEvent } from 'react';
import { api } from '../api/client';
import { answerOf, ApiError } from '../api/problem';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { PasswordField } from './fields';
import classes from './Form.module.css';
import { passwordFault } from './password';

interface ResetFormProps {
  readonly token: string;
  readonly onDone: () => void;
  readonly onLinkInvalid: () => void;
}

/** What the server has against the password, without the name of the field in its body. */
function refusalOf(error: Error | null): string | null {
  if (!(error instanceof ApiError && error.status === 422 && error.problem)) return null;
  return error.problem.detail.replace(/^new_password: /, '');
}

export function ResetForm({ token, onDone, onLinkInvalid }: ResetFormProps) {
  const [password, setPassword] = useState('');
  const [sent, setSent] = useState(false);
  const reset = useMutation({
    mutationFn: (chosen: string) =>
      answerOf(api.POST('/v1/auth/reset-password', { body: { token, new_password: chosen } })),
    onSuccess: onDone,
    onError: (error) => {
      if (error instanceof ApiError && error.problem?.code === 'link_invalid') onLinkInvalid();
    },
  });
  const fault = passwordFault(password);
  const refusal = refusalOf(reset.error);

  function enter(value: string) {
    setPassword(value);
    // The refusal was about the password before.
    if (refusal !== null) reset.reset();
  }

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setSent(true);
    if (fault === null) reset.mutate(password);
  }

  return (
    <>
      <p>{texts.reset.lead}</p>
      {reset.isError && refusal === null && <ErrorNotice error={reset.error} title={texts.reset.failed} />}
      <form className={classes.form} onSubmit={submit} noValidate>
        <PasswordField
          label={texts.reset.password}
          value={password}
          onChange={enter}
          fault={refusal ?? (sent ? fault : null)}
          fresh
        />
        <Button type="submit" size="md" loading={reset.isPending}>
          {texts.reset.submit}
        </Button>
      </form>
    </>
  );
}
