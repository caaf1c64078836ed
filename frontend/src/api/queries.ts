import { queryOptions } from '@tanstack/react-query';
import { api } from './client';
import { answerOf } from './problem';

/** The first part of the key of everything that belongs to the signed-in account. */
export const ACCOUNT_DATA = ['account'] as const;

const LIVE_MS = 15_000;
const SLOW_MS = 60_000;

export const meQuery = queryOptions({
  queryKey: [...ACCOUNT_DATA, 'me'],
  queryFn: ({ signal }) => answerOf(api.GET('/v1/auth/me', { signal })),
  staleTime: SLOW_MS,
});

export const subscriptionQuery = queryOptions({
  queryKey: [...ACCOUNT_DATA, 'subscription'],
  queryFn: ({ signal }) => answerOf(api.GET('/v1/subscription/me', { signal })),
  staleTime: LIVE_MS,
  refetchInterval: SLOW_MS,
});

export const usageQuery = queryOptions({
  queryKey: [...ACCOUNT_DATA, 'usage'],
  queryFn: ({ signal }) => answerOf(api.GET('/v1/subscription/usage', { signal })),
  refetchInterval: LIVE_MS,
});

/** Plans on sale, with what the signed-in account can do about each. */
export const plansQuery = queryOptions({
  queryKey: [...ACCOUNT_DATA, 'plans'],
  queryFn: ({ signal }) => answerOf(api.GET('/v1/subscription/plans', { signal })),
  staleTime: SLOW_MS,
});

/** The same for a visitor, to whom every plan is offered alike. */
export const publicPlansQuery = queryOptions({ ...plansQuery, queryKey: ['plans'] });

export const rateLimitsQuery = queryOptions({
  queryKey: [...ACCOUNT_DATA, 'rate-limits'],
  queryFn: ({ signal }) => answerOf(api.GET('/v1/subscription/rate-limits', { signal })),
  refetchInterval: LIVE_MS,
});

export const sessionsQuery = queryOptions({
  queryKey: [...ACCOUNT_DATA, 'sessions'],
  queryFn: ({ signal }) => answerOf(api.GET('/v1/auth/sessions', { signal })),
  staleTime: LIVE_MS,
});

export const healthQuery = queryOptions({
  queryKey: ['health'],
  queryFn: ({ signal }) => answerOf(api.GET('/health', { signal })),
  staleTime: Infinity,
});
