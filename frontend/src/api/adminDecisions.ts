import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { ADMIN_DATA } from './adminQueries';
import { api } from './client';
import { ApiError, answerOf } from './problem';
import type { GivenQuery, RefusalsQuery, Supposition } from './types';

const LIVE_MS = 15_000;
const NOT_YET_MS = 1_000;
const MOST_AT_ONCE = 50;

/** The first part of the key of all refusals: a limit that is given changes what they would be answered now. */
export const DECISIONS = [...ADMIN_DATA, 'decisions'] as const;

/** The first part of the key of all limits beside plans. */
export const GIVEN = [...ADMIN_DATA, 'given'] as const;

/** What was refused to anybody, the newest first, part by part. */
export const refusalsQuery = (wanted: RefusalsQuery) =>
  infiniteQueryOptions({
    queryKey: [...DECISIONS, 'list', wanted],
    queryFn: ({ pageParam: after, signal }) =>
      answerOf(
        api.GET('/v1/admin/decisions', { params: { query: { ...wanted, limit: MOST_AT_ONCE, after } }, signal }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    staleTime: LIVE_MS,
  });

/** A refusal by the id of its decision or request. One is written down a second or two after its answer. */
export const refusalQuery = (decision: string) =>
  queryOptions({
    queryKey: [...DECISIONS, 'one', decision],
    queryFn: ({ signal }) =>
      answerOf(
        api.GET('/v1/admin/decisions/{decision}', {
          params: { path: { decision } },
          signal,
        }),
      ),
    retry: (failures, error) =>
      failures < 3 && (!(error instanceof ApiError) || error.status === 404 || error.status >= 500),
    retryDelay: NOT_YET_MS,
    refetchInterval: LIVE_MS,
  });

/** What the same question would be answered if the account were another. */
export const supposed = (decision: string, account: string, body: Supposition) =>
  answerOf(
    api.POST('/v1/admin/decisions/{decision}/simulate', {
      params: { path: { decision }, query: { account_id: account } },
      body,
    }),
  );

/** A page of all limits beside plans; the one before stays until the next is there. */
export const givenQuery = (query: GivenQuery) =>
  queryOptions({
    queryKey: [...GIVEN, query],
    queryFn: ({ signal }) => answerOf(api.GET('/v1/admin/overrides', { params: { query }, signal })),
    placeholderData: keepPreviousData,
    staleTime: LIVE_MS,
  });
