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
import { EmailField, PasswordField } from './fields';
import classes from './Form.module.css';
import { emailFault, passwordFault } from './password';

interface Credentials {
  readonly email: string;
  readonly password: string;
}

export function SignupPage() {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [sent, setSent] = useState(false);
  const register = useMutation({
    mutationFn: (body: Credentials) => answerOf(api.POST('/v1/auth/register', { body })),
  });
  const faults = { email: emailFault(email.trim()), password: passwordFault(password, email.trim()) };

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setSent(true);
    if (faults.email === null && faults.password === null) register.mutate({ email: email.trim(), password });
  }

  if (register.isSuccess) {
    return (
      <CheckMail
        email={register.variables.email}
        detail={texts.checkMail.detail(register.variables.email)}
        neutral={texts.checkMail.neutral}
      >
        <Anchor component={Link} to="/verify-email" underline="always">
          {texts.checkMail.again}
        </Anchor>
      </CheckMail>
    );
  }
  return (
    <>
      <PageHeading>{texts.signup.heading}</PageHeading>
      <p>{texts.signup.lead}</p>
      {register.isError && <ErrorNotice error={register.error} title={texts.signup.failed} />}
      <form className={classes.form} onSubmit={submit} noValidate>
        <EmailField value={email} onChange={setEmail} fault={sent ? faults.email : null} />
        <PasswordField value={password} onChange={setPassword} fault={sent ? faults.password : null} fresh />
        <Button type="submit" size="md" loading={register.isPending}>
          {texts.signup.submit}
        </Button>
      </form>
      <div className={classes.links}>
        <p>
          {texts.signup.haveAccount}{' '}
          <Anchor component={Link} to="/login" underline="always">
            {texts.signup.signIn}
          </Anchor>
        </p>
        <Anchor component={Link} to="/pricing" underline="always">
          {texts.login.pricing}
        </Anchor>
      </div>
    </>
  );
}
