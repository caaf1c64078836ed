import { infiniteQueryOptions, queryOptions, skipToken } from '@tanstack/react-query';
import { api } from './client';
import { answerOf, ApiError } from './problem';
import type { DenialCode, UsageAnswer, UsageSeries } from './types';

/** The first part of the key of everything that belongs to the signed-in account. */
export const ACCOUNT_DATA = ['account'] as const;

const SOON_MS = 5_000;
const LIVE_MS = 15_000;
const SLOW_MS = 60_000;

/** How often a page asks anew for what is not its main thing. */
export const REFRESH_MS = LIVE_MS;

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

/** What was told of ends elsewhere, by an upgrade or a reset: it does not stay on the page for long after that. */
function whileNoticed(otherwise: number) {
  return ({ state }: { readonly state: { readonly data?: UsageAnswer | undefined } }): number =>
    state.data?.meters.some(({ notice_percent: percent }) => percent !== null) ? SOON_MS : otherwise;
}

export const usageQuery = queryOptions({
  queryKey: [...ACCOUNT_DATA, 'usage'],
  queryFn: ({ signal }) => answerOf(api.GET('/v1/subscription/usage', { signal })),
  refetchInterval: whileNoticed(LIVE_MS),
  refetchOnWindowFocus: 'always',
});

/** The same on pages that show no numbers: asked less often. */
export const noticedUsageQuery = { ...usageQuery, staleTime: LIVE_MS, refetchInterval: whileNoticed(SLOW_MS) };

interface SeriesWanted {
  readonly meter: string;
  /** How long back, by its name. */
  readonly period: string;
  readonly step: UsageSeries['step'];
  /** Where that begins as of now; null while it is not known. */
  readonly from: string | null;
  readonly byKey: boolean;
}

/**
 * Usage of one meter over time, until now. `from` moves on with the time and is no part of the key: what was loaded
 * stays until the same period is loaded anew.
 */
export const seriesQuery = ({ meter, period, step, from, byKey }: SeriesWanted) =>
  queryOptions({
    queryKey: [...ACCOUNT_DATA, 'series', meter, period, byKey],
    queryFn:
      from === null
        ? skipToken
        : ({ signal }) =>
            answerOf(api.GET('/v1/usage/series', { params: { query: { meter, from, step, by_key: byKey } }, signal })),
    staleTime: LIVE_MS,
    refetchInterval: SLOW_MS,
  });

const plans = (signal: AbortSignal) => answerOf(api.GET('/v1/subscription/plans', { signal }));

/**
 * The route is public: to a token that is too old it speaks as to anybody. Then another one is asked, which renews
 * the token or finds out that the session is over.
 */
async function ownPlans(signal: AbortSignal) {
  const answer = await plans(signal);
  if (!answer.plans.some(({ offer }) => offer.action === 'sign_up')) return answer;
  await answerOf(api.GET('/v1/auth/me', { signal }));
  return plans(signal);
}

/** Plans on sale, with what the signed-in account can do about each. */
export const plansQuery = queryOptions({
  queryKey: [...ACCOUNT_DATA, 'plans'],
  queryFn: ({ signal }) => ownPlans(signal),
  staleTime: SLOW_MS,
});

/** The same for a visitor, to whom every plan is offered alike. */
export const publicPlansQuery = queryOptions({
  queryKey: ['plans'],
  queryFn: ({ signal }) => plans(signal),
  staleTime: SLOW_MS,
});

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

const MOST_KEYS = 100;
const MOST_DENIALS = 50;
const NOT_YET_MS = 1_000;

/** The keys of the account, or the reader's own, the newest first. */
export const keysQuery = infiniteQueryOptions({
  queryKey: [...ACCOUNT_DATA, 'keys'],
  queryFn: ({ pageParam: after, signal }) =>
    answerOf(api.GET('/v1/keys', { params: { query: { limit: MOST_KEYS, after } }, signal })),
  initialPageParam: null as string | null,
  getNextPageParam: (last) => last.next_after,
  staleTime: LIVE_MS,
});

export interface DenialsWanted {
  readonly code?: DenialCode | undefined;
  readonly meter?: string | undefined;
  /** Moments; the last one is no part. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** What was refused to the account, the newest first. While somebody reads older ones, nothing moves. */
export const denialsQuery = (wanted: DenialsWanted) =>
  infiniteQueryOptions({
    queryKey: [...ACCOUNT_DATA, 'denials', wanted],
    queryFn: ({ pageParam: after, signal }) =>
      answerOf(api.GET('/v1/decisions', { params: { query: { ...wanted, limit: MOST_DENIALS, after } }, signal })),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    refetchInterval: ({ state }) => (state.data !== undefined && state.data.pages.length > 1 ? false : SOON_MS),
  });

/** A refusal by the id of its decision or of its request. One is written down a second or two after its answer. */
export const explainedQuery = (name: string) =>
  queryOptions({
    queryKey: [...ACCOUNT_DATA, 'decision', name],
    queryFn: ({ signal }) => answerOf(api.GET('/v1/decisions/{decision}', { params: { path: { decision: name } }, signal })),
    retry: (failures, error) => failures < 3 && (!(error instanceof ApiError) || error.status === 404 || error.status >= 500),
    retryDelay: NOT_YET_MS,
    refetchInterval: LIVE_MS,
  });

export const healthQuery = queryOptions({
  queryKey: ['health'],
  queryFn: ({ signal }) => answerOf(api.GET('/health', { signal })),
  staleTime: Infinity,
});
