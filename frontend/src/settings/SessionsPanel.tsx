import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api } from '../api/client';
import { answerOf } from '../api/problem';
import { sessionsQuery } from '../api/queries';
import type { OwnSession } from '../api/types';
import { texts } from '../texts';
import { formatCount, formatMoment } from '../texts/format';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Notice } from '../ui/Notice';
import { Placeholder } from '../ui/Placeholder';
import type { Reader } from '../usage/meterText';
import { deviceText } from './device';
import { useSaidUntilNext } from './useSaidUntilNext';
import classes from './Settings.module.css';

/** Ends one session, or with `null` all others. Says what happened. */
async function end(id: string | null): Promise<string> {
  const words = texts.sessions;
  if (id === null) {
    const { ended_count: count } = await answerOf(api.DELETE('/v1/auth/sessions'));
    return count === 1 ? words.endedOne : words.ended(formatCount(count));
  }
  await answerOf(api.DELETE('/v1/auth/sessions/{session_id}', { params: { path: { session_id: id } } }));
  return words.endedOne;
}

/** Where the reader is signed in, this place first. */
export function SessionsPanel({ reader }: { readonly reader: Reader }) {
  const sessions = useQuery(sessionsQuery);
  const client = useQueryClient();
  const ending = useMutation({
    mutationFn: end,
    // Also after a refusal: it may be over already.
    onSettled: () => client.invalidateQueries({ queryKey: sessionsQuery.queryKey }),
  });
  useSaidUntilNext(ending.isSuccess, ending.reset);
  const words = texts.sessions;
  if (sessions.isPending) return <Placeholder width="100%" height={96} line={120} />;
  if (sessions.data === undefined) {
    return <ErrorNotice error={sessions.error} title={words.failed} onRetry={() => void sessions.refetch()} />;
  }
  const items = [...sessions.data.items].sort((one, other) => Number(other.is_current) - Number(one.is_current));
  return (
    <>
      <p className={classes.quiet}>{words.lead}</p>
      {ending.isError && <ErrorNotice error={ending.error} title={words.notEnded} />}
      {ending.isSuccess && <Notice tone="good" title={ending.data} />}
      <ul className={classes.sessions}>
        {items.map((item) => (
          <SessionLine
            key={item.id}
            item={item}
            reader={reader}
            isEnding={ending.isPending && ending.variables === item.id}
            onEnd={() => ending.mutate(item.id)}
          />
        ))}
      </ul>
      {items.length === 1 ? (
        <p className={classes.quiet}>{words.only}</p>
      ) : (
        <div className={classes.row}>
          <Button
            variant="default"
            loading={ending.isPending && ending.variables === null}
            onClick={() => ending.mutate(null)}
          >
            {words.endOthers}
          </Button>
        </div>
      )}
    </>
  );
}

interface SessionLineProps {
  readonly item: OwnSession;
  readonly reader: Reader;
  readonly isEnding: boolean;
  readonly onEnd: () => void;
}

function SessionLine({ item, reader, isEnding, onEnd }: SessionLineProps) {
  const words = texts.sessions;
  const device = item.is_operator ? words.operator : deviceText(item.user_agent);
  return (
    <li className={classes.session}>
      <div>
        <p className={classes.device}>{device}</p>
        <p className={classes.seen}>
          {item.is_operator ? words.operatorDetail : (item.address ?? words.unknownAddress)} · {words.seen} {formatMoment(item.last_seen_at, reader.zone, reader.now)}
        </p>
      </div>
      {item.is_current ? (
        <span className={classes.here}>{words.here}</span>
      ) : (
        <Button
          variant="default"
          size="compact-md"
          loading={isEnding}
          aria-label={words.endOf(device)}
          onClick={onEnd}
        >
          {words.end}
        </Button>
      )}
    </li>
  );
}
