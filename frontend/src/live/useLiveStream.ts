import { useEffect, useEffectEvent, useRef, useState, useSyncExternalStore } from 'react';
import { acting } from '../api/acting';
import { api } from '../api/client';
import { answerOf } from '../api/problem';
import type { ServerSent } from './sse';
import { watch, type OpenStream } from './watch';

export type Connection = 'connecting' | 'live' | 'reconnecting' | 'paused' | 'refused';

export interface LiveStream {
  readonly connection: Connection;
  /** Why it is not live, where the server has said so. */
  readonly error: unknown;
}

const CONNECTING: LiveStream = { connection: 'connecting', error: null };

/** At most one repaint a second. */
const REPAINT_MS = 1_000;

const open: OpenStream = (after, signal) =>
  answerOf(
    api.GET('/v1/usage/live', {
      params: { header: after === null ? {} : { 'Last-Event-ID': after } },
      parseAs: 'stream',
      signal,
    }),
  ).then((body) => body ?? new ReadableStream<Uint8Array>({ start: (made) => made.close() }));

/**
 * What happens in the account that the reader acts for, while the page is there: events are given out together, at
 * most once a second. Paused, nothing is asked; it goes on where it was.
 */
export function useLiveStream(onEvents: (events: readonly ServerSent[]) => void, paused = false): LiveStream {
  const account = useSyncExternalStore(acting.subscribe, () => acting.account);
  const [stream, setStream] = useState<LiveStream>(CONNECTING);
  const last = useRef<{ account: string | null; id: string | null }>({ account, id: null });
  const give = useEffectEvent(onEvents);

  useEffect(() => {
    if (paused) return undefined;
    if (last.current.account !== account) last.current = { account, id: null };
    const abort = new AbortController();
    let waiting: ServerSent[] = [];
    let timer: ReturnType<typeof setTimeout> | null = null;
    let painted = 0;
    const paint = (): void => {
      timer = null;
      painted = Date.now();
      const events = waiting;
      waiting = [];
      last.current.id = events.findLast(({ id }) => id !== null)?.id ?? last.current.id;
      give(events);
    };
    void watch(open, last.current.id, abort.signal, {
      onEvents: (events) => {
        waiting.push(...events);
        timer ??= setTimeout(paint, Math.max(0, painted + REPAINT_MS - Date.now()));
      },
      onLive: () => setStream({ connection: 'live', error: null }),
      onLost: (error) => setStream({ connection: 'reconnecting', error }),
      onRefused: (error) => setStream({ connection: 'refused', error }),
    });
    return () => {
      abort.abort();
      if (timer !== null) clearTimeout(timer);
      setStream(CONNECTING);
    };
  }, [account, paused]);

  return paused ? { connection: 'paused', error: null } : stream;
}
