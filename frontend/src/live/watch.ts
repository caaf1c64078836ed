import { ApiError } from '../api/problem';
import { EventReader, type ServerSent } from './sse';

/** Opens the stream; `after` is the id of the last event that was seen. Rejects as any call of the API does. */
export type OpenStream = (after: string | null, signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>;

export interface Watching {
  readonly onEvents: (events: readonly ServerSent[]) => void;
  /** It is open. */
  readonly onLive: () => void;
  /** It is not, and is opened again; with why, where the server has said so. */
  readonly onLost: (error: unknown) => void;
  /** It is not, and opening it again would be refused again. */
  readonly onRefused: (error: ApiError) => void;
}

/** The server says something at least every 15 seconds. */
const SILENCE_MS = 40_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** A stream that was open for so long ended because it was its time. */
const SETTLED_MS = 5_000;

/** How long to wait after so many failures in a row: longer each time, and never the same for all. */
export function pauseAfter(failures: number, error: unknown, random = Math.random()): number {
  const said = error instanceof ApiError ? (error.problem?.retryAfter ?? 0) * 1_000 : 0;
  const grown = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures, 10));
  return Math.max(said, grown * (0.5 + random / 2));
}

/** Whether asking again leads to the same answer: all refusals but those of too much at once. */
function isFinal(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status >= 400 && error.status < 500 && ![408, 429].includes(error.status);
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Reads until the stream ends, breaks, or has been silent for too long. */
async function read(stream: ReadableStream<Uint8Array>, signal: AbortSignal, onPart: (text: string) => void) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  const cancel = (): void => void reader.cancel().catch(() => undefined);
  let silence = setTimeout(cancel, SILENCE_MS);
  signal.addEventListener('abort', cancel);
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      clearTimeout(silence);
      silence = setTimeout(cancel, SILENCE_MS);
      onPart(decoder.decode(part.value, { stream: true }));
    }
  } finally {
    clearTimeout(silence);
    signal.removeEventListener('abort', cancel);
  }
}

/** Looks on from `after` until `signal` is aborted or it is refused: whatever ends the stream, it is opened again. */
export async function watch(open: OpenStream, after: string | null, signal: AbortSignal, told: Watching): Promise<void> {
  let failures = 0;
  let seen = after;
  while (!signal.aborted) {
    let lost: unknown = null;
    const began = Date.now();
    try {
      const stream = await open(seen, signal);
      told.onLive();
      const events = new EventReader();
      await read(stream, signal, (text) => {
        const found = events.push(text);
        seen = found.findLast(({ id }) => id !== null)?.id ?? seen;
        if (found.length > 0 && !signal.aborted) told.onEvents(found);
      });
      if (Date.now() - began > SETTLED_MS) failures = 0;
    } catch (error) {
      lost = error;
    }
    // Read anew: it may have been aborted while something was waited for.
    if ((signal as { readonly aborted: boolean }).aborted) return;
    if (isFinal(lost)) {
      told.onRefused(lost);
      return;
    }
    told.onLost(lost);
    await pause(pauseAfter(failures, lost), signal);
    failures += 1;
  }
}
