/** A session in which an operator acts as a user. */
export interface Impersonated {
  readonly userId: string;
  readonly token: string;
}

/** Why an operator acts as themselves again: they stopped it, or the session was over. */
export type Stopped = 'left' | 'over';

/**
 * As whom the operator at this page acts; null is as themselves. It lives in the memory of this tab and nowhere else: a
 * reload, or another tab, is the operator's own again.
 */
export class Impersonating {
  #held: Impersonated | null = null;
  #stopped: Stopped | null = null;
  readonly #listeners = new Set<() => void>();

  get held(): Impersonated | null {
    return this.#held;
  }

  /** How the last one ended, until somebody has read it. */
  get stopped(): Stopped | null {
    return this.#stopped;
  }

  begin(held: Impersonated): void {
    this.#held = held;
    this.#stopped = null;
    this.#tell();
  }

  /** Ends it, if this token is still the one that acts. */
  end(token: string, stopped: Stopped): void {
    if (this.#held?.token !== token) return;
    this.#held = null;
    this.#stopped = stopped;
    this.#tell();
  }

  read(): void {
    if (this.#stopped === null) return;
    this.#stopped = null;
    this.#tell();
  }

  /** Calls `listener` at each change. Returns the way to stop it. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #tell(): void {
    this.#listeners.forEach((listener) => listener());
  }
}
