import { useMemo } from 'react';
import { api } from '../../api/client';
import { answerOf } from '../../api/problem';
import type { ServerSent } from '../../live/sse';
import { nothing, useStream, type LiveStream } from '../../live/useStream';
import type { OpenStream } from '../../live/watch';
import type { StreamSearch } from './streamSearch';

const streamOf = ({ only, code, account }: StreamSearch): OpenStream => (after, signal) =>
  answerOf(
    api.GET('/v1/admin/stream', {
      params: {
        query: { only, code, account_id: account },
        header: after === null ? {} : { 'Last-Event-ID': after },
      },
      parseAs: 'stream',
      signal,
    }),
  ).then((body) => body ?? nothing());

/** What happens on the whole platform, as far as it is looked for, while the page is there. */
export function useHappenings(
  { only, code, account }: StreamSearch,
  onEvents: (events: readonly ServerSent[]) => void,
  paused: boolean,
): LiveStream {
  const open = useMemo(() => streamOf({ only, code, account }), [only, code, account]);
  return useStream(open, JSON.stringify([only, code, account]), onEvents, paused);
}
