import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useContext, useId, useRef, useState, type KeyboardEvent, type ReactNode, type SyntheticEvent } from 'react';
import { flushSync } from 'react-dom';
import { USERS } from '../../../api/adminQueries';
import settings from '../../../settings/Settings.module.css';
import { texts } from '../../../texts';
import { ErrorNotice } from '../../../ui/ErrorNotice';
import classes from '../User.module.css';
import { Told } from './told';

interface ActProps {
  /** What it is, and the word on the button that begins it. */
  readonly name: string;
  readonly begin: string;
  /** What it does, in words. */
  readonly detail: ReactNode;
  /** What is asked before it is done, and the word on the button that does it. */
  readonly question: ReactNode;
  readonly confirm: string;
  /** What one has to say for it. */
  readonly fields?: ReactNode;
  /** Whether that is said well enough; called when it is to be done, so that fields can tell what is wrong. */
  readonly isReady?: () => boolean;
  /** Whether it can be done at all now. */
  readonly isPossible?: boolean;
  /** Does it, and says what happened. */
  readonly act: () => Promise<string>;
}

/** Something that an operator does to a user. It is asked for in place, with what it does, before it is done. */
export function Act({
  name,
  begin,
  detail,
  question,
  confirm,
  fields,
  isReady,
  isPossible = true,
  act,
}: ActProps) {
  const client = useQueryClient();
  const tell = useContext(Told);
  const [isAsked, setIsAsked] = useState(false);
  const keep = useRef<HTMLButtonElement>(null);
  const start = useRef<HTMLButtonElement>(null);
  const box = useRef<HTMLFormElement>(null);
  const id = useId();
  const doing = useMutation({
    mutationFn: act,
    onSuccess: (said) => {
      setIsAsked(false);
      tell(said);
    },
    // Also after a refusal: the user may be another than the page shows.
    onSettled: () => client.invalidateQueries({ queryKey: USERS }),
  });

  /** The keyboard goes to the first field or the way out, and comes back to where it was asked. */
  function ask(asked: boolean) {
    doing.reset();
    flushSync(() => setIsAsked(asked));
    if (!asked) start.current?.focus();
    else (box.current?.querySelector<HTMLElement>('input, textarea, select') ?? keep.current)?.focus();
  }

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    if (isReady?.() ?? true) doing.mutate();
  }

  function leave(event: KeyboardEvent) {
    if (event.key === 'Escape' && !doing.isPending) ask(false);
  }

  return (
    <div className={classes.act}>
      <div>
        <h3 id={id}>{name}</h3>
        <div className={classes.quiet}>{detail}</div>
      </div>
      {isAsked ? (
        // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- a shorter way to its Cancel button
        <form ref={box} className={classes.question} aria-labelledby={id} onSubmit={submit} onKeyDown={leave} noValidate>
          <div role="alert">{question}</div>
          {fields}
          {doing.isError && <ErrorNotice error={doing.error} title={texts.adminUser.notDone} />}
          <div className={settings.row}>
            <Button type="submit" size="compact-sm" loading={doing.isPending} disabled={!isPossible}>
              {confirm}
            </Button>
            <Button variant="default" size="compact-sm" ref={keep} onClick={() => ask(false)}>
              {texts.adminUser.cancel}
            </Button>
          </div>
        </form>
      ) : (
        <Button variant="default" size="compact-sm" ref={start} aria-describedby={id} onClick={() => ask(true)}>
          {begin}
        </Button>
      )}
    </div>
  );
}
