import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type SyntheticEvent } from 'react';
import { api } from '../api/client';
import { answerOf } from '../api/problem';
import { meQuery, sessionsQuery } from '../api/queries';
import type { Me } from '../api/types';
import { PasswordField } from '../auth/fields';
import { passwordFault } from '../auth/password';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Notice } from '../ui/Notice';
import { codeOf, fieldRefusal } from './refusal';
import { useSaidUntilNext } from './useSaidUntilNext';
import classes from './Settings.module.css';

/** Another password. Every other session ends with it. */
export function PasswordPanel({ me }: { readonly me: Me }) {
  const [current, setCurrent] = useState('');
  const [fresh, setFresh] = useState('');
  const [sent, setSent] = useState(false);
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: () =>
      answerOf(
        api.POST('/v1/auth/change-password', {
          body: { current_password: me.has_password ? current : null, new_password: fresh },
        }),
      ),
    onSuccess: () => {
      setCurrent('');
      setFresh('');
      setSent(false);
      void client.invalidateQueries({ queryKey: sessionsQuery.queryKey });
      void client.invalidateQueries({ queryKey: meQuery.queryKey });
    },
  });
  useSaidUntilNext(change.isSuccess, change.reset);
  const words = texts.security;
  const isWrong = codeOf(change.error) === 'proof_refused';
  const refused = fieldRefusal(change.error, 'new_password');
  const faults = {
    current: me.has_password && current === '' ? words.currentMissing : null,
    fresh: passwordFault(fresh, me.email),
  };

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setSent(true);
    if (faults.current === null && faults.fresh === null) change.mutate();
  }

  return (
    <>
      <p className={classes.quiet}>{words.passwordLead}</p>
      {change.isError && !isWrong && refused === null && (
        <ErrorNotice error={change.error} title={words.notChanged} />
      )}
      {change.isSuccess && <Notice tone="good" title={words.changed} />}
      <form className={classes.form} onSubmit={submit} noValidate>
        {me.has_password && (
          <PasswordField
            label={words.current}
            value={current}
            onChange={setCurrent}
            fault={isWrong ? words.wrong : sent ? faults.current : null}
          />
        )}
        <PasswordField
          label={words.fresh}
          value={fresh}
          onChange={setFresh}
          fault={refused ?? (sent ? faults.fresh : null)}
          fresh
        />
        <Button type="submit" size="md" loading={change.isPending}>
          {words.change}
        </Button>
      </form>
    </>
  );
}
