/** Why nobody is signed in any more: the reader left, or the session was over; null when nobody was. */
export type Ending = 'left' | 'over' | null;

let known: Ending = null;

/** For the sign-in page, which says why it is there. Lives in memory, so that a reload begins anew. */
export const ending = {
  get known(): Ending {
    return known;
  },
  note(value: Ending): void {
    known = value;
  },
};
