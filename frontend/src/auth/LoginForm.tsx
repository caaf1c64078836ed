import { Anchor, Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState, type SyntheticEvent } from 'react';
import { api } from '../api/client';
import { answerOf, ApiError } from '../api/problem';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Notice } from '../ui/Notice';
import { EmailField, PasswordField } from './fields';
import classes from './Form.module.css';
import { emailFault } from './password';
import { useEnter } from './useEnter';

interface Credentials {
  readonly email: string;
  readonly password: string;
}

export function LoginForm({ next }: { readonly next: string | null }) {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [sent, setSent] = useState(false);
  const login = useMutation({
    mutationFn: (body: Credentials) => answerOf(api.POST('/v1/auth/login', { body })),
    onSuccess: useEnter(next),
  });
  const faults = {
    email: emailFault(email.trim()),
    password: password === '' ? texts.fields.passwordMissing : null,
  };

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setSent(true);
    if (faults.email === null && faults.password === null) login.mutate({ email: email.trim(), password });
  }

  return (
    <>
      {login.isError && <LoginRefusal error={login.error} />}
      <form className={classes.form} onSubmit={submit} noValidate>
        <EmailField value={email} onChange={setEmail} fault={sent ? faults.email : null} />
        <PasswordField value={password} onChange={setPassword} fault={sent ? faults.password : null} />
        <Button type="submit" size="md" loading={login.isPending}>
          {texts.login.submit}
        </Button>
      </form>
      <div className={classes.links}>
        <Anchor component={Link} to="/forgot" underline="always">
          {texts.login.forgot}
        </Anchor>
        <p>
          {texts.login.noAccount}{' '}
          <Anchor component={Link} to="/signup" underline="always">
            {texts.login.signUp}
          </Anchor>
        </p>
        <Anchor component={Link} to="/verify-email" underline="always">
          {texts.login.unconfirmed}
        </Anchor>
        <Anchor component={Link} to="/pricing" underline="always">
          {texts.login.pricing}
        </Anchor>
      </div>
    </>
  );
}

/** The server says the same for an unknown address, a wrong password and an unconfirmed address; so do we. */
function LoginRefusal({ error }: { readonly error: Error }) {
  if (!(error instanceof ApiError && error.status === 401)) {
    return <ErrorNotice error={error} title={texts.login.refused} />;
  }
  return (
    <Notice tone="over" title={texts.login.refused}>
      <p>{texts.login.refusedDetail}</p>
    </Notice>
  );
}
