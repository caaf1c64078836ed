/**
 * The challenge of a sign-in that waits for its second factor. It lives in memory and nowhere else: whoever finds
 * the address of the page, or comes back to it later, has none and begins again.
 */
let held: string | null = null;

export const challenge = {
  get held(): string | null {
    return held;
  },
  hold(id: string): void {
    held = id;
  },
  drop(): void {
    held = null;
  },
};
