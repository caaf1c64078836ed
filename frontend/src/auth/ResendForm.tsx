import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState, type SyntheticEvent } from 'react';
import { api } from '../api/client';
import { answerOf } from '../api/problem';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Notice } from '../ui/Notice';
import { DevMailLink } from './DevMailLink';
import { EmailField } from './fields';
import classes from './Form.module.css';
import { emailFault } from './password';

/** Asks for a new confirmation link. */
export function ResendForm() {
  const [email, setEmail] = useState('');
  const [sent, setSent] = useState(false);
  const resend = useMutation({
    mutationFn: (address: string) =>
      answerOf(api.POST('/v1/auth/resend-verification', { body: { email: address } })),
  });
  const fault = emailFault(email.trim());

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setSent(true);
    if (fault === null) resend.mutate(email.trim());
  }

  if (resend.isSuccess) {
    return (
      <Notice tone="good" title={texts.checkMail.heading}>
        <p>{texts.verify.resent(resend.variables)}</p>
        <DevMailLink email={resend.variables} />
      </Notice>
    );
  }
  return (
    <>
      <p>{texts.verify.resendLead}</p>
      {resend.isError && <ErrorNotice error={resend.error} title={texts.verify.resendFailed} />}
      <form className={classes.form} onSubmit={submit} noValidate>
        <EmailField value={email} onChange={setEmail} fault={sent ? fault : null} />
        <Button type="submit" size="md" loading={resend.isPending}>
          {texts.verify.resend}
        </Button>
      </form>
    </>
  );
}
