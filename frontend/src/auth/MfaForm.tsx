import { Anchor, Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useRef, useState, type SyntheticEvent } from 'react';
import { api } from '../api/client';
import { answerOf, ApiError } from '../api/problem';
import type { SignInAnswer } from '../api/types';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { challenge } from './challenge';
import { CodeField, type CodeKind } from './fields';
import classes from './Form.module.css';
import { useEnter } from './useEnter';

interface Entry {
  readonly kind: CodeKind;
  readonly challengeId: string;
  readonly code: string;
}

function complete({ kind, challengeId, code }: Entry): Promise<SignInAnswer> {
  const body = { challenge_id: challengeId };
  return answerOf(
    kind === 'otp'
      ? api.POST('/v1/auth/2fa/verify', { body: { ...body, otp: code } })
      : api.POST('/v1/auth/recovery-login', { body: { ...body, recovery_code: code } }),
  );
}

function hasCode(error: Error | null, status: number, code: string): boolean {
  return error instanceof ApiError && error.status === status && error.problem?.code === code;
}

/** The challenge takes no more codes; a new sign-in gives a new one. */
function isOver(error: Error): boolean {
  return hasCode(error, 401, 'challenge_invalid') || hasCode(error, 429, 'too_many_attempts');
}

function faultOf(kind: CodeKind, code: string): string | null {
  if (kind === 'otp') return /^\d{6}$/.test(code) ? null : texts.mfa.otp.missing;
  return code.trim() === '' ? texts.mfa.recovery.missing : null;
}

interface MfaFormProps {
  readonly challengeId: string;
  readonly onOver: (error: Error) => void;
}

/** One field for the authenticator's code, or for a recovery code instead. A wrong one may be tried again. */
export function MfaForm({ challengeId, onOver }: MfaFormProps) {
  const [kind, setKind] = useState<CodeKind>('otp');
  const [code, setCode] = useState('');
  const [sent, setSent] = useState(false);
  // Read once: the challenge is dropped when it has done its work.
  const [next] = useState(() => challenge.next);
  const field = useRef<HTMLInputElement>(null);
  const completion = useMutation({
    mutationFn: complete,
    onSuccess: useEnter(next),
    onError: (error) => (isOver(error) ? onOver(error) : field.current?.select()),
  });
  const fault = faultOf(kind, code);
  const refused = hasCode(completion.error, 401, 'code_refused');
  const failure = refused ? null : completion.error;

  function enter(value: string) {
    setCode(value);
    // The refusal was about the code before.
    if (refused) completion.reset();
  }

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setSent(true);
    if (fault === null && !completion.isPending) completion.mutate({ kind, challengeId, code: code.trim() });
  }

  function change() {
    setKind(kind === 'otp' ? 'recovery' : 'otp');
    setCode('');
    setSent(false);
    completion.reset();
    field.current?.focus();
  }

  return (
    <>
      <p>{texts.mfa[kind].lead}</p>
      {failure !== null && <ErrorNotice error={failure} title={texts.mfa.failed} />}
      <form className={classes.form} onSubmit={submit} noValidate>
        <CodeField
          kind={kind}
          ref={field}
          value={code}
          onChange={enter}
          fault={refused ? texts.mfa[kind].refused : sent ? fault : null}
        />
        <Button type="submit" size="md" loading={completion.isPending}>
          {texts.mfa.submit}
        </Button>
      </form>
      <Anchor component="button" type="button" className={classes.own} underline="always" onClick={change}>
        {texts.mfa[kind].change}
      </Anchor>
    </>
  );
}
