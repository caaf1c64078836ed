import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError, Unreachable } from '../api/problem';
import type { ServerSent } from './sse';
import { pauseAfter, watch, type OpenStream } from './watch';

const encoder = new TextEncoder();

/** A stream that is written by the test. */
function channel() {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const stream = new ReadableStream<Uint8Array>({ start: (made) => void (controller = made) });
  return {
    stream,
    send: (text: string) => controller.enqueue(encoder.encode(text)),
    end: () => controller.close(),
    fail: () => controller.error(new TypeError('network')),
  };
}

function refusal(status: number, retryAfter: number | null = null): ApiError {
  return new ApiError(status, { status, retryAfter } as ApiError['problem'], null);
}

function looking(answers: (ReadableStream<Uint8Array> | Error)[]) {
  const abort = new AbortController();
  const asked: (string | null)[] = [];
  const events: ServerSent[] = [];
  const states: string[] = [];
  const open: OpenStream = (after) => {
    asked.push(after);
    const answer = answers.shift() ?? new Unreachable('no answer');
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const done = watch(open, null, abort.signal, {
    onEvents: (found) => events.push(...found),
    onLive: () => states.push('live'),
    onLost: () => states.push('lost'),
    onRefused: (error) => states.push(`refused ${error.status}`),
  });
  return { abort, asked, events, states, done };
}

describe('looking on', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('goes on where it was when the stream ends or breaks', async () => {
    const first = channel();
    const second = channel();
    const found = looking([first.stream, new Unreachable('no answer'), second.stream]);
    await vi.advanceTimersByTimeAsync(0);
    first.send('event: usage\nid: a.1\ndata: 1\n\nevent: meters\ndata: {}\n\n');
    await vi.advanceTimersByTimeAsync(0);
    expect(found.events.map(({ id }) => id)).toEqual(['a.1', null]);
    first.fail();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(found.asked).toEqual([null, 'a.1', 'a.1']);
    expect(found.states).toEqual(['live', 'lost', 'lost', 'live']);
    second.send('event: usage\nid: b.1\ndata: 2\n\n');
    second.end();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(found.asked[3]).toBe('b.1');
    found.abort.abort();
    await found.done;
  });

  it('does not ask again what is refused for good', async () => {
    const found = looking([refusal(403)]);
    await found.done;
    expect(found.states).toEqual(['refused 403']);
    expect(found.asked).toHaveLength(1);
  });

  it('waits as long as the server says', async () => {
    const found = looking([refusal(503, 20), channel().stream]);
    await vi.advanceTimersByTimeAsync(19_000);
    expect(found.asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(found.states).toEqual(['lost', 'live']);
    found.abort.abort();
    await found.done;
  });

  it('takes a stream that says nothing for lost', async () => {
    const silent = channel();
    const found = looking([silent.stream, channel().stream]);
    await vi.advanceTimersByTimeAsync(15_000);
    silent.send(': still here\n\n');
    await vi.advanceTimersByTimeAsync(39_000);
    expect(found.states).toEqual(['live']);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(found.states).toEqual(['live', 'lost', 'live']);
    found.abort.abort();
    await found.done;
  });

  it('says nothing more once it is ended', async () => {
    const open = channel();
    const found = looking([open.stream]);
    await vi.advanceTimersByTimeAsync(0);
    found.abort.abort();
    await found.done;
    expect(found.states).toEqual(['live']);
  });

  it('waits longer each time, within bounds, and never for all alike', () => {
    const waits = [0, 1, 2, 3, 20].map((failures) => pauseAfter(failures, null, 1));
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 30_000]);
    expect(pauseAfter(0, null, 0)).toBe(500);
    expect(pauseAfter(0, refusal(429, 5), 1)).toBe(5_000);
  });
});
