import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { flushSync } from 'react-dom';
import { ADMIN_DATA } from '../../api/adminQueries';
import { api } from '../../api/client';
import { answerOf } from '../../api/problem';
import type { GivenToAccount } from '../../api/types';
import { texts } from '../../texts';
import { ErrorNotice } from '../../ui/ErrorNotice';
import { changeText } from '../user/overrides/overrideText';
import classes from './Given.module.css';

interface TakeBackProps {
  readonly given: GivenToAccount;
  readonly onDone: (said: string) => void;
}

/** Takes a limit back, in its line: asked for before it is done. */
export function TakeBack({ given, onDone }: TakeBackProps) {
  const client = useQueryClient();
  const [isAsked, setIsAsked] = useState(false);
  const keep = useRef<HTMLButtonElement>(null);
  const start = useRef<HTMLButtonElement>(null);
  const words = texts.adminGiven;
  const what = changeText(given, []);
  const taking = useMutation({
    mutationFn: () =>
      answerOf(
        api.DELETE('/v1/admin/accounts/{account_id}/overrides/{override_id}', {
          params: { path: { account_id: given.account.id, override_id: given.id } },
        }),
      ),
    onSuccess: () => onDone(words.taken(what, given.account.name)),
    onSettled: () => client.invalidateQueries({ queryKey: ADMIN_DATA }),
  });

  /** The keyboard goes to the way out, and comes back to where it was asked. */
  function ask(asked: boolean) {
    taking.reset();
    flushSync(() => setIsAsked(asked));
    (asked ? keep : start).current?.focus();
  }

  if (!isAsked) {
    return (
      <Button
        variant="default"
        size="compact-sm"
        ref={start}
        aria-label={words.takeBackOf(what, given.account.name)}
        onClick={() => ask(true)}
      >
        {words.takeBack}
      </Button>
    );
  }
  return (
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions -- a shorter way to its button "Keep it"
    <div className={classes.question} onKeyDown={({ key }) => key === 'Escape' && !taking.isPending && ask(false)}>
      <p role="alert">{words.question}</p>
      {taking.isError && <ErrorNotice error={taking.error} title={texts.adminUser.notDone} />}
      <Button size="compact-sm" loading={taking.isPending} onClick={() => taking.mutate()}>
        {words.confirm}
      </Button>
      <Button variant="default" size="compact-sm" ref={keep} onClick={() => ask(false)}>
        {words.keep}
      </Button>
    </div>
  );
}
