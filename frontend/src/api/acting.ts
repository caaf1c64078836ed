const KEY = 'feature-account';

/** The form of an account's id; whatever else was put into the tab's storage is no choice of ours. */
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Where a tab keeps the choice over a reload. */
type Kept = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

/**
 * For which of their accounts the signed-in user acts; null leaves it to the server. The tab keeps the id, so that
 * a reload stays where it was and another tab can act for another account. An id is no secret, and opens nothing.
 */
export class Acting {
  #account: string | null;
  #lost: string | null = null;
  readonly #kept: Kept | null;
  readonly #listeners = new Set<() => void>();

  constructor(kept: Kept | null) {
    this.#kept = kept;
    const found = kept?.getItem(KEY) ?? null;
    this.#account = found !== null && ID.test(found) ? found : null;
  }

  get account(): string | null {
    return this.#account;
  }

  /** The account that was given up because the server knows it no more, until another one is chosen. */
  get lost(): string | null {
    return this.#lost;
  }

  choose(account: string): void {
    if (account === this.#account) return;
    this.#account = account;
    this.#lost = null;
    this.#keep();
    this.#tell();
  }

  /** Gives the choice up; with an id only when that is still the choice. */
  forget(account: string | null = this.#account): void {
    const lost = this.#lost;
    this.#lost = null;
    if (this.#account !== null && account === this.#account) {
      this.#account = null;
      this.#keep();
    } else if (lost === null) return;
    this.#tell();
  }

  /** Gives up an account that the server knows no more, if that is still the choice. */
  lose(account: string): void {
    if (account !== this.#account) return;
    this.#account = null;
    this.#lost = account;
    this.#keep();
    this.#tell();
  }

  /** Calls `listener` at each change. Returns the way to stop it. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #keep(): void {
    try {
      if (this.#account === null) this.#kept?.removeItem(KEY);
      else this.#kept?.setItem(KEY, this.#account);
    } catch {
      // A browser that keeps nothing: the choice holds until the next reload.
    }
  }

  #tell(): void {
    this.#listeners.forEach((listener) => listener());
  }
}

function tabStorage(): Kept | null {
  try {
    // eslint-disable-next-line no-restricted-globals -- only the id of an account, see above; nothing of the session
    return sessionStorage;
  } catch {
    return null;
  }
}

export const acting = new Acting(tabStorage());
