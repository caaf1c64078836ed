/** A next step that the server offers with a refusal. */
export interface Fix {
  readonly kind: string;
  readonly text: string;
  /** When it is allowed without doing anything. */
  readonly at: string | null;
}

/** An answer of the kind application/problem+json (RFC 9457), as far as this app reads it. Amounts are base units. */
export interface Problem {
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly requestId: string | null;
  /** Of a refusal that is kept, and can be explained. */
  readonly decisionId: string | null;
  readonly meter: string | null;
  readonly used: number | null;
  readonly held: number | null;
  readonly limit: number | null;
  readonly requested: number | null;
  readonly resetsAt: string | null;
  /** Seconds. */
  readonly retryAfter: number | null;
  readonly fixes: readonly Fix[];
  readonly upgradeUrl: string | null;
  /** The name of the plan that refused. */
  readonly plan: string | null;
  /** More exactly than the code, where the server knows it. */
  readonly reason: string | null;
}

/** The server answered, and refused. `problem` is null when the answer is not one that explains itself. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly status: number,
    readonly problem: Problem | null,
    readonly requestId: string | null,
  ) {
    super(problem?.title ?? `HTTP ${status}`);
  }
}

/** No answer came: the server is down, the network is, or the connection was cut. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function fixes(value: unknown): Fix[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown) => {
    const fix = entry as { kind?: unknown; text?: unknown; at?: unknown } | null;
    const sentence = text(fix?.text);
    return sentence === null ? [] : [{ kind: text(fix?.kind) ?? 'other', text: sentence, at: text(fix?.at) }];
  });
}

/** Reads a problem document; null when the body is none (an error page of a proxy, for example). */
export function readProblem(body: unknown, status: number): Problem | null {
  if (typeof body !== 'object' || body === null) return null;
  const fields = body as Record<string, unknown>;
  const [title, code] = [text(fields.title), text(fields.code)];
  if (title === null || code === null) return null;
  return {
    title,
    code,
    status,
    detail: text(fields.detail) ?? '',
    requestId: text(fields.request_id),
    decisionId: text(fields.decision_id),
    meter: text(fields.meter),
    used: number(fields.used),
    held: number(fields.held),
    limit: number(fields.limit),
    requested: number(fields.requested),
    resetsAt: text(fields.resets_at),
    retryAfter: number(fields.retry_after),
    fixes: fixes(fields.fixes),
    upgradeUrl: text(fields.upgrade_url),
    plan: text(fields.plan),
    reason: text(fields.reason),
  };
}

/** The error for a response that is not a success. */
export function errorOf(response: Response, body: unknown): ApiError {
  const problem = readProblem(body, response.status);
  return new ApiError(response.status, problem, problem?.requestId ?? response.headers.get('X-Request-Id'));
}

interface Outcome<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly response: Response;
}

/** The body of a successful call. Throws ApiError for every other answer and Unreachable when there is none. */
export async function answerOf<T>(call: Promise<Outcome<T>>): Promise<T> {
  let outcome: Outcome<T>;
  try {
    outcome = await call;
  } catch (cause) {
    if (cause instanceof ApiError || cause instanceof Unreachable) throw cause;
    throw new Unreachable('no answer', { cause });
  }
  if (!outcome.response.ok) throw errorOf(outcome.response, outcome.error);
  return outcome.data as T;
}
