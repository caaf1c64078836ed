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

export const healthQuery = queryOptions({
  queryKey: ['health'],
  queryFn: ({ signal }) => answerOf(api.GET('/health', { signal })),
  staleTime: Infinity,
});
