import { Button, CopyButton } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState, type SyntheticEvent } from 'react';
import { api } from '../api/client';
import { answerOf } from '../api/problem';
import type { Enrolment } from '../api/types';
import { CodeField } from '../auth/fields';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { codeOf } from './refusal';
import classes from './Settings.module.css';

interface EnrolmentFormProps {
  readonly enrolment: Enrolment;
  readonly onConfirmed: (codes: readonly string[]) => void;
  readonly onCancel: () => void;
}

const DIGITS = 6;

/** The picture as an image: nothing inside it is ever part of the page. */
function pictureOf(svg: string): string {
  const named = svg.includes('xmlns=') ? svg : svg.replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg"');
  return `data:image/svg+xml,${encodeURIComponent(named)}`;
}

/** The key of an authenticator, as a picture and as text, and the first code that confirms it. */
export function EnrolmentForm({ enrolment, onConfirmed, onCancel }: EnrolmentFormProps) {
  const [code, setCode] = useState('');
  const [sent, setSent] = useState(false);
  const words = texts.secondFactor;
  const confirm = useMutation({
    mutationFn: () =>
      answerOf(
        api.POST('/v1/auth/2fa/enable-complete', { body: { challenge_id: enrolment.challenge_id, otp: code } }),
      ),
    onSuccess: (answer) => onConfirmed(answer.recovery_codes),
  });
  const isWrong = codeOf(confirm.error) === 'proof_refused';
  const isShort = code.length < DIGITS;

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setSent(true);
    if (!isShort) confirm.mutate();
  }

  return (
    <>
      <p>{words.scan}</p>
      <img className={classes.qr} src={pictureOf(enrolment.qr_svg)} alt={words.qr} />
      <div className={classes.row}>
        <span>
          {words.secret}: <span className={classes.secret}>{enrolment.secret.match(/.{1,4}/g)?.join(' ')}</span>
        </span>
        <CopyButton value={enrolment.secret}>
          {({ copied, copy }) => (
            <Button variant="default" size="compact-md" onClick={copy}>
              {copied ? texts.actions.copied : words.copySecret}
            </Button>
          )}
        </CopyButton>
      </div>
      {confirm.isError && !isWrong && <ErrorNotice error={confirm.error} title={words.failed} />}
      <form className={classes.form} onSubmit={submit} noValidate>
        <CodeField
          kind="otp"
          value={code}
          onChange={(typed) => {
            setCode(typed);
            if (isWrong) confirm.reset();
          }}
          fault={isWrong ? words.wrongCode : sent && isShort ? words.codeShort : null}
        />
        <div className={classes.row}>
          <Button type="submit" size="md" loading={confirm.isPending}>
            {words.confirm}
          </Button>
          <Button variant="default" size="md" onClick={onCancel}>
            {words.cancel}
          </Button>
        </div>
      </form>
    </>
  );
}
