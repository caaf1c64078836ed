import type { paths } from './schema';

type Answer<P extends keyof paths, M extends keyof paths[P], S extends number> = paths[P][M] extends {
  responses: Record<S, { content: { 'application/json': infer Body } }>;
}
  ? Body
  : never;

/** Names for what the API answers, taken from its routes, so that they do not depend on names of schemas. */
/** A session, or the challenge of a second factor. */
export type SignInAnswer = Answer<'/v1/auth/login', 'post', 200>;
/** The signed-in operator. */
export type Operator = Answer<'/v1/admin/me', 'get', 200>;
export type Permission = Operator['permissions'][number];
export type UsersQuery = NonNullable<paths['/v1/admin/users']['get']['parameters']['query']>;
export type UserPage = Answer<'/v1/admin/users', 'get', 200>;
export type UserRow = UserPage['items'][number];
/** One act for many users. */
export type BulkWish = paths['/v1/admin/bulk-actions/preview']['post']['requestBody']['content']['application/json'];
export type BulkPreview = Answer<'/v1/admin/bulk-actions/preview', 'post', 200>;
export type BulkAction = Answer<'/v1/admin/bulk-actions/{bulk_action_id}', 'get', 200>;
/** One user whole. */
export type UserWhole = Answer<'/v1/admin/users/{user_id}', 'get', 200>;
export type Deletion = Answer<'/v1/admin/users/{user_id}/deletion', 'get', 200>;
export type Note = Answer<'/v1/admin/users/{user_id}/notes', 'get', 200>['items'][number];
/** A limit of an account beside its plan's, with who gave it and where it stands. */
export type GivenOverride = Answer<'/v1/admin/users/{user_id}/overrides', 'get', 200>['items'][number];
/** The same of all accounts, with whose it is. */
export type GivenToAccount = Answer<'/v1/admin/overrides', 'get', 200>['items'][number];
export type GivenQuery = NonNullable<paths['/v1/admin/overrides']['get']['parameters']['query']>;
export type NamedAccount = GivenToAccount['account'];
/** What was refused to anybody. */
export type Refusal = Answer<'/v1/admin/decisions', 'get', 200>['items'][number];
export type RefusalsQuery = NonNullable<paths['/v1/admin/decisions']['get']['parameters']['query']>;
/** A refusal whole, as operators see it. */
export type RefusalWhole = Answer<'/v1/admin/decisions/{decision}', 'get', 200>;
export type Supposition = NonNullable<
  paths['/v1/admin/decisions/{decision}/simulate']['post']['requestBody']
>['content']['application/json'];
export type AuditQuery = NonNullable<paths['/v1/admin/audit-logs']['get']['parameters']['query']>;
export type AuditEvent = Answer<'/v1/admin/audit-logs', 'get', 200>['items'][number];
export type Statistics = Answer<'/v1/admin/stats', 'get', 200>;
export type Me = Answer<'/v1/auth/me', 'get', 200>;
export type OwnAccount = Me['accounts'][number];
export type SubscriptionAnswer = Answer<'/v1/subscription/me', 'get', 200>;
export type UsageAnswer = Answer<'/v1/subscription/usage', 'get', 200>;
export type PlanOnSale = Answer<'/v1/subscription/plans', 'get', 200>['plans'][number];
export type RateLimits = Answer<'/v1/subscription/rate-limits', 'get', 200>;
export type OwnSession = Answer<'/v1/auth/sessions', 'get', 200>['items'][number];
export type ApiKey = Answer<'/v1/keys', 'get', 200>['items'][number];
export type NewKey = Answer<'/v1/keys', 'post', 201>;
export type Enrolment = Answer<'/v1/auth/2fa/enable-init', 'post', 200>;
export type MeterUsage = UsageAnswer['meters'][number];
export type Projection = NonNullable<MeterUsage['projection']>;
export type SpendDecision = Answer<'/v1/usage/consume', 'post', 200>;
export type UsageSeries = Answer<'/v1/usage/series', 'get', 200>;
export type SeriesPoint = UsageSeries['points'][number];
export type KeyPoint = NonNullable<UsageSeries['keys']>[number];
export type Denial = Answer<'/v1/decisions', 'get', 200>['items'][number];
/** A refusal whole: rule by rule, then and now. */
export type Explained = Answer<'/v1/decisions/{decision}', 'get', 200>;
export type DenialCode = NonNullable<NonNullable<paths['/v1/decisions']['get']['parameters']['query']>['code']>;
/** Whether everything runs, check by check. */
export type PlatformHealth = Answer<'/v1/admin/health', 'get', 200>;
export type StreamQuery = NonNullable<paths['/v1/admin/stream']['get']['parameters']['query']>;
