import { Anchor, Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState, type SyntheticEvent } from 'react';
import { CodeField, PasswordField, type CodeKind } from '../auth/fields';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { codeOf } from './refusal';
import classes from './Settings.module.css';

type ProofKind = 'password' | CodeKind;

export interface Proof {
  readonly kind: ProofKind;
  readonly value: string;
}

interface ProofFormProps<T> {
  /** What can prove it here; the first is asked for, the others are offered. */
  readonly kinds: readonly [ProofKind, ...ProofKind[]];
  /** What the proof is for. */
  readonly lead: string;
  readonly submit: string;
  readonly prove: (proof: Proof) => Promise<T>;
  readonly onDone: (answer: T) => void;
  readonly onCancel: () => void;
}

function faultOf({ kind, value }: Proof): string | null {
  if (kind === 'password') return value === '' ? texts.fields.passwordMissing : null;
  if (kind === 'otp') return /^\d{6}$/.test(value) ? null : texts.mfa.otp.missing;
  return value.trim() === '' ? texts.mfa.recovery.missing : null;
}

/** The proof that whoever does this is the user, and not somebody at their keyboard. */
export function ProofForm<T>({ kinds, lead, submit: label, prove, onDone, onCancel }: ProofFormProps<T>) {
  const [kind, setKind] = useState<ProofKind>(kinds[0]);
  const [value, setValue] = useState('');
  const [sent, setSent] = useState(false);
  const proving = useMutation({ mutationFn: prove, onSuccess: onDone });
  const words = texts.secondFactor;
  const isWrong = codeOf(proving.error) === 'proof_refused';
  const missing = faultOf({ kind, value });
  const fault = isWrong ? words.wrong[kind] : sent ? missing : null;

  function enter(typed: string) {
    setValue(typed);
    // The refusal was about what was sent before.
    if (isWrong) proving.reset();
  }

  function choose(other: ProofKind) {
    setKind(other);
    setValue('');
    setSent(false);
    proving.reset();
  }

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setSent(true);
    if (missing === null) proving.mutate({ kind, value: kind === 'password' ? value : value.trim() });
  }

  return (
    <>
      <p>
        {lead} {words.proof[kind]}
      </p>
      {proving.isError && !isWrong && <ErrorNotice error={proving.error} title={words.failed} />}
      <form className={classes.form} onSubmit={submit} noValidate>
        {kind === 'password' ? (
          <PasswordField value={value} onChange={enter} fault={fault} />
        ) : (
          <CodeField key={kind} kind={kind} value={value} onChange={enter} fault={fault} />
        )}
        {kinds
          .filter((other) => other !== kind)
          .map((other) => (
            <Anchor key={other} component="button" type="button" ta="start" underline="always" onClick={() => choose(other)}>
              {words.useInstead[other]}
            </Anchor>
          ))}
        <div className={classes.row}>
          <Button type="submit" size="md" loading={proving.isPending}>
            {label}
          </Button>
          <Button variant="default" size="md" onClick={onCancel}>
            {words.cancel}
          </Button>
        </div>
      </form>
    </>
  );
}
