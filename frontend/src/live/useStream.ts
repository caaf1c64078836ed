import { useEffect, useEffectEvent, useRef, useState } from 'react';
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

/** What an answer without a body is read as. */
export const nothing = (): ReadableStream<Uint8Array> => new ReadableStream({ start: (made) => made.close() });

/**
 * What `open` gives, while the page is there: events are given out together, at most once a second. Paused, nothing
 * is asked; it goes on where it was. `of` names what it is a stream of: that of something else begins anew.
 */
export function useStream(
  open: OpenStream,
  of: string | null,
  onEvents: (events: readonly ServerSent[]) => void,
  paused: boolean,
): LiveStream {
  const [stream, setStream] = useState<LiveStream>(CONNECTING);
  const last = useRef<{ of: string | null; id: string | null }>({ of, id: null });
  const give = useEffectEvent(onEvents);

  useEffect(() => {
    if (paused) return undefined;
    if (last.current.of !== of) last.current = { of, id: null };
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
  }, [open, of, paused]);

  return paused ? { connection: 'paused', error: null } : stream;
}
