import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api } from './client';
import { answerOf } from './problem';
import type { AuditQuery, UsersQuery } from './types';

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

/** The first part of the key of everything about users: an act on one changes lists and their own room. */
export const USERS = [...ADMIN_DATA, 'users'] as const;

/** A page of users; the one before stays until the next is there. */
export const usersQuery = (query: UsersQuery) =>
  queryOptions({
    queryKey: [...USERS, 'list', query],
    queryFn: ({ signal }) => answerOf(api.GET('/v1/admin/users', { params: { query }, signal })),
    placeholderData: keepPreviousData,
    staleTime: LIVE_MS,
  });

/** The first part of the key of everything about one user. */
export const ofUser = (userId: string) => [...USERS, 'one', userId] as const;

export const userQuery = (userId: string) =>
  queryOptions({
    queryKey: [...ofUser(userId), 'whole'],
    queryFn: ({ signal }) =>
      answerOf(api.GET('/v1/admin/users/{user_id}', { params: { path: { user_id: userId } }, signal })),
    refetchInterval: SLOW_MS,
  });

/** What the deletion of a user would take along. Asked anew each time: it is to be true when it is done. */
export const deletionQuery = (userId: string) =>
  queryOptions({
    queryKey: [...ofUser(userId), 'deletion'],
    queryFn: ({ signal }) =>
      answerOf(api.GET('/v1/admin/users/{user_id}/deletion', { params: { path: { user_id: userId } }, signal })),
    gcTime: 0,
  });

export const notesQuery = (userId: string, page: number) =>
  queryOptions({
    queryKey: [...ofUser(userId), 'notes', page],
    queryFn: ({ signal }) =>
      answerOf(
        api.GET('/v1/admin/users/{user_id}/notes', {
          params: { path: { user_id: userId }, query: { page } },
          signal,
        }),
      ),
  });

export const userOverridesQuery = (userId: string, page: number) =>
  queryOptions({
    queryKey: [...ofUser(userId), 'overrides', page],
    queryFn: ({ signal }) =>
      answerOf(
        api.GET('/v1/admin/users/{user_id}/overrides', {
          params: { path: { user_id: userId }, query: { page } },
          signal,
        }),
      ),
  });

/** What was done to a user, the newest first. */
export const userEventsQuery = (userId: string, page: number) =>
  queryOptions({
    queryKey: [...ofUser(userId), 'events', page],
    queryFn: ({ signal }) =>
      answerOf(api.GET('/v1/admin/audit-logs', { params: { query: { target_id: userId, page } }, signal })),
  });

/** A page of what was done by whom; the one before stays until the next is there. */
export const auditQuery = (query: AuditQuery) =>
  queryOptions({
    queryKey: [...ADMIN_DATA, 'audit', query],
    queryFn: ({ signal }) => answerOf(api.GET('/v1/admin/audit-logs', { params: { query }, signal })),
    placeholderData: keepPreviousData,
    staleTime: LIVE_MS,
  });

export const platformHealthQuery = queryOptions({
  queryKey: [...ADMIN_DATA, 'health'],
  queryFn: ({ signal }) => answerOf(api.GET('/v1/admin/health', { signal })),
  refetchInterval: LIVE_MS,
});

const SOON_MS = 1_000;

/** How far an act on many users is, looked at again until it has ended. */
export const bulkActionQuery = (id: string) =>
  queryOptions({
    queryKey: [...ADMIN_DATA, 'bulk', id],
    queryFn: ({ signal }) =>
      answerOf(api.GET('/v1/admin/bulk-actions/{bulk_action_id}', { params: { path: { bulk_action_id: id } }, signal })),
    refetchInterval: ({ state }) => (state.data === undefined || state.data.state === 'running' ? SOON_MS : false),
  });
