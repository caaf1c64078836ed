import { Anchor, Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState, type SyntheticEvent } from 'react';
import { api } from '../api/client';
import { answerOf } from '../api/problem';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { PageHeading } from '../ui/PageHeading';
import { CheckMail } from './CheckMail';
import { EmailField } from './fields';
import classes from './Form.module.css';
import { emailFault } from './password';

/** Asks for a link to choose a new password. */
export function ForgotPage() {
  const [email, setEmail] = useState('');
  const [sent, setSent] = useState(false);
  const forgot = useMutation({
    mutationFn: (address: string) => answerOf(api.POST('/v1/auth/forgot-password', { body: { email: address } })),
  });
  const fault = emailFault(email.trim());

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setSent(true);
    if (fault === null) forgot.mutate(email.trim());
  }

  if (forgot.isSuccess) {
    return (
      <CheckMail
        email={forgot.variables}
        detail={texts.forgot.detail(forgot.variables)}
        neutral={texts.forgot.neutral}
      >
        <Anchor component="button" type="button" className={classes.own} underline="always" onClick={forgot.reset}>
          {texts.forgot.again}
        </Anchor>
      </CheckMail>
    );
  }
  return (
    <>
      <PageHeading>{texts.forgot.heading}</PageHeading>
      <p>{texts.forgot.lead}</p>
      {forgot.isError && <ErrorNotice error={forgot.error} title={texts.forgot.failed} />}
      <form className={classes.form} onSubmit={submit} noValidate>
        <EmailField value={email} onChange={setEmail} fault={sent ? fault : null} />
        <Button type="submit" size="md" loading={forgot.isPending}>
          {texts.forgot.submit}
        </Button>
      </form>
      <Anchor component={Link} to="/login" underline="always">
        {texts.forgot.back}
      </Anchor>
    </>
  );
}
