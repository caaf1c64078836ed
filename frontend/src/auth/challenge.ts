/**
 * The challenge of a sign-in that waits for its second factor. It lives in memory and nowhere else: whoever finds
 * the address of the page, or comes back to it later, has none and begins again.
 */
let held: string | null = null;
let heldFor: string | null = null;

export const challenge = {
  get held(): string | null {
    return held;
  },
  /** Where the reader wanted to go before the sign-in was asked for. */
  get next(): string | null {
    return heldFor;
  },
  hold(id: string, next: string | null = null): void {
    held = id;
    heldFor = next;
  },
  drop(): void {
    held = null;
    heldFor = null;
  },
};
