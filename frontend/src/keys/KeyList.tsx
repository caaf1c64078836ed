import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { flushSync } from 'react-dom';
import { api } from '../api/client';
import { answerOf } from '../api/problem';
import { keysQuery } from '../api/queries';
import type { ApiKey, NewKey } from '../api/types';
import settings from '../settings/Settings.module.css';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Notice } from '../ui/Notice';
import type { Reader } from '../usage/meterText';
import { factsOf, isOver, overlapOf } from './keyText';
import classes from './Keys.module.css';

interface KeyListProps {
  readonly items: readonly ApiKey[];
  readonly reader: Reader;
  readonly onRotated: (made: NewKey) => void;
}

export function KeyList({ items, reader, onRotated }: KeyListProps) {
  const client = useQueryClient();
  const words = texts.keys;
  // Also after a refusal: it may be revoked already.
  const onSettled = () => client.invalidateQueries({ queryKey: keysQuery.queryKey });
  const revoking = useMutation({
    mutationFn: async (key: ApiKey) => {
      await answerOf(api.DELETE('/v1/keys/{key_id}', { params: { path: { key_id: key.id } } }));
      return key.name;
    },
    onSettled,
  });
  const rotating = useMutation({
    mutationFn: (key: ApiKey) =>
      answerOf(api.POST('/v1/keys/{key_id}/rotate', { params: { path: { key_id: key.id } } })),
    onSuccess: onRotated,
    onSettled,
  });
  const error = revoking.error ?? rotating.error;
  return (
    <>
      {error && <ErrorNotice error={error} title={words.notChanged} />}
      {revoking.isSuccess && <Notice tone="good" title={words.revoked(revoking.data)} />}
      {items.length === 0 && <p className={settings.quiet}>{words.empty}</p>}
      <ul className={classes.list}>
        {items.map((key) => (
          <KeyLine
            key={key.id}
            item={key}
            reader={reader}
            isBusy={
              (revoking.isPending && revoking.variables.id === key.id) ||
              (rotating.isPending && rotating.variables.id === key.id)
            }
            onRotate={() => rotating.mutate(key)}
            onRevoke={() => revoking.mutate(key)}
          />
        ))}
      </ul>
    </>
  );
}

interface KeyLineProps {
  readonly item: ApiKey;
  readonly reader: Reader;
  readonly isBusy: boolean;
  readonly onRotate: () => void;
  readonly onRevoke: () => void;
}

function KeyLine({ item, reader, isBusy, onRotate, onRevoke }: KeyLineProps) {
  const [isAsked, setIsAsked] = useState(false);
  const keep = useRef<HTMLButtonElement>(null);
  const revoke = useRef<HTMLButtonElement>(null);
  const words = texts.keys;
  const overlap = overlapOf(item, reader);

  /** The keyboard stays where the question is, and comes back to where it was asked. */
  function ask(asked: boolean) {
    flushSync(() => setIsAsked(asked));
    (asked ? keep : revoke).current?.focus();
  }

  return (
    <li className={classes.key}>
      <div>
        <p className={classes.name}>
          {item.name} <code className={classes.prefix}>{item.prefix}…</code>
        </p>
        <p className={classes.facts}>{factsOf(item, reader)}</p>
        {overlap !== null && <p className={classes.facts}>{overlap}</p>}
      </div>
      {isAsked ? (
        <div role="group" className={classes.question} aria-label={words.revokeOf(item.name)}>
          <p role="alert">{words.sure(item.name)}</p>
          <div className={settings.row}>
            <Button size="compact-md" loading={isBusy} onClick={onRevoke}>
              {words.confirm}
            </Button>
            <Button variant="default" size="compact-md" ref={keep} onClick={() => ask(false)}>
              {words.keep}
            </Button>
          </div>
        </div>
      ) : (
        <div className={settings.row}>
          {!isOver(item, reader) && (item.is_mine || item.user_id === null) && (
            <Button
              variant="default"
              size="compact-md"
              loading={isBusy}
              aria-label={words.rotateOf(item.name)}
              onClick={onRotate}
            >
              {words.rotate}
            </Button>
          )}
          <Button
            variant="default"
            size="compact-md"
            aria-label={words.revokeOf(item.name)}
            ref={revoke}
            onClick={() => ask(true)}
          >
            {words.revoke}
          </Button>
        </div>
      )}
    </li>
  );
}
