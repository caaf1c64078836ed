import { Anchor, Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState, type SyntheticEvent } from 'react';
import { api, session } from '../api/client';
import { answerOf, ApiError } from '../api/problem';
import { texts } from '../texts/en';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Notice } from '../ui/Notice';
import { RequestId } from '../ui/RequestId';
import { EmailField, PasswordField } from './fields';
import classes from './Form.module.css';
import { emailFault } from './password';

interface Credentials {
  readonly email: string;
  readonly password: string;
}

async function signIn(body: Credentials): Promise<'signed-in' | 'code-needed'> {
  const answer = await answerOf(api.POST('/v1/auth/login', { body }));
  if (!('access_token' in answer)) return 'code-needed';
  session.signIn(answer.access_token);
  return 'signed-in';
}

export function LoginForm() {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [sent, setSent] = useState(false);
  const navigate = useNavigate();
  const login = useMutation({
    mutationFn: signIn,
    onSuccess: (outcome) => {
      if (outcome === 'signed-in') void navigate({ to: '/app', replace: true });
    },
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
      {login.data === 'code-needed' && (
        <Notice tone="near" title={texts.login.codeNeeded}>
          <p>{texts.login.codeNeededDetail}</p>
        </Notice>
      )}
      <form className={classes.form} onSubmit={submit} noValidate>
        <EmailField value={email} onChange={setEmail} fault={sent ? faults.email : null} />
        <PasswordField value={password} onChange={setPassword} fault={sent ? faults.password : null} />
        <Button type="submit" size="md" loading={login.isPending}>
          {texts.login.submit}
        </Button>
      </form>
      <div className={classes.links}>
        <p>
          {texts.login.noAccount}{' '}
          <Anchor component={Link} to="/signup" underline="always">
            {texts.login.signUp}
          </Anchor>
        </p>
        <Anchor component={Link} to="/verify-email" underline="always">
          {texts.login.unconfirmed}
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
    <Notice
      tone="over"
      title={texts.login.refused}
      foot={error.requestId === null ? undefined : <RequestId id={error.requestId} />}
    >
      <p>{texts.login.refusedDetail}</p>
    </Notice>
  );
}
