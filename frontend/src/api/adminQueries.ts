import { queryOptions } from '@tanstack/react-query';
import { api } from './client';
import { answerOf } from './problem';

/** The first part of the key of everything that operators see. */
export const ADMIN_DATA = ['admin'] as const;

const LIVE_MS = 15_000;
const SLOW_MS = 60_000;

/** Who operates here, and what they may do. */
export const operatorQuery = queryOptions({
  queryKey: [...ADMIN_DATA, 'me'],
  queryFn: ({ signal }) => answerOf(api.GET('/v1/admin/me', { signal })),
  staleTime: SLOW_MS,
});

export const statisticsQuery = queryOptions({
  queryKey: [...ADMIN_DATA, 'stats'],
  queryFn: ({ signal }) => answerOf(api.GET('/v1/admin/stats', { signal })),
  staleTime: LIVE_MS,
  refetchInterval: SLOW_MS,
});
