import { useSyncExternalStore } from 'react';
import { acting } from '../api/acting';
import { api } from '../api/client';
import { answerOf } from '../api/problem';
import type { ServerSent } from './sse';
import { nothing, useStream, type LiveStream } from './useStream';
import type { OpenStream } from './watch';

const openLive: OpenStream = (after, signal) =>
  answerOf(
    api.GET('/v1/usage/live', {
      params: { header: after === null ? {} : { 'Last-Event-ID': after } },
      parseAs: 'stream',
      signal,
    }),
  ).then((body) => body ?? nothing());

/** What happens in the account that the reader acts for, while the page is there. */
export function useLiveStream(onEvents: (events: readonly ServerSent[]) => void, paused = false): LiveStream {
  const account = useSyncExternalStore(acting.subscribe, () => acting.account);
  return useStream(openLive, account, onEvents, paused);
}
