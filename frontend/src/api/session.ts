export type SessionStatus = 'unknown' | 'signed-in' | 'signed-out';

/** Asks for a new access token with the httpOnly cookie: the token, or null when the session is over. */
export type Renew = () => Promise<string | null>;

/** Runs a piece of work when no other tab of this browser runs one. */
export type OneByOne = <T>(work: () => Promise<T>) => Promise<T>;

const LOCK = 'feature-refresh';
const PATIENCE_MS = 5_000;

/**
 * Tabs share one cookie, so they renew one after another, each with the cookie that the one before it left. A browser
 * without locks, or a tab that holds one without end, keeps nobody from renewing: the server puts up with both.
 */
export async function oneTabAtATime<T>(work: () => Promise<T>): Promise<T> {
  // Not there in a page that came over http from another machine.
  const locks = (navigator as Partial<Navigator>).locks;
  if (!locks) return work();
  const turn = { began: false };
  try {
    return await locks.request(LOCK, { signal: AbortSignal.timeout(PATIENCE_MS) }, () => {
      turn.began = true;
      return work();
    });
  } catch (error) {
    if (turn.began) throw error;
    return work();
  }
}

/**
 * Who is signed in, as far as this page knows. The access token lives here, in memory, and nowhere else; the
 * refresh token is a cookie that scripts cannot read. Only a refused renewal or a sign-out ends the session.
 */
export class Session {
  #token: string | null = null;
  #status: SessionStatus = 'unknown';
  #renewal: Promise<string | null> | null = null;
  /** Counts sign-ins and sign-outs, so that a renewal that was under way cannot undo one. */
  #generation = 0;
  readonly #listeners = new Set<() => void>();
  readonly #renew: Renew;
  readonly #oneByOne: OneByOne;

  constructor(renew: Renew, oneByOne: OneByOne = oneTabAtATime) {
    this.#renew = renew;
    this.#oneByOne = oneByOne;
  }

  get token(): string | null {
    return this.#token;
  }

  get status(): SessionStatus {
    return this.#status;
  }

  signIn(token: string): void {
    this.#generation += 1;
    // Also without a change of status: it may be another user.
    this.#status = 'unknown';
    this.#become('signed-in', token);
  }

  signOut(): void {
    this.#generation += 1;
    this.#become('signed-out', null);
  }

  /**
   * A new access token, or null when the session is over. Callers at the same time share one renewal: a refresh
   * token is good once. Rejects when there is no answer; then nothing is known and the status stays.
   */
  renew(): Promise<string | null> {
    this.#renewal ??= this.#renewOnce().finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  /** At the start of the page: finds out whether the cookie still holds a session. Asks at most once. */
  async restore(): Promise<SessionStatus> {
    if (this.#status === 'unknown') await this.renew();
    return this.#status;
  }

  /** Calls `listener` at each change of status and at each sign-in. Returns the way to stop it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #renewOnce(): Promise<string | null> {
    const generation = this.#generation;
    const token = await this.#oneByOne(this.#renew);
    if (generation !== this.#generation) return this.#token;
    this.#become(token === null ? 'signed-out' : 'signed-in', token);
    return token;
  }

  #become(status: SessionStatus, token: string | null): void {
    const changed = status !== this.#status;
    this.#token = token;
    this.#status = status;
    if (changed) this.#listeners.forEach((listener) => listener());
  }
}
