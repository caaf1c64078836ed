/** Which users of a list are chosen: some by their ids, over several pages, or all that the list has. */
export type Selection = { readonly all: true } | { readonly all: false; readonly ids: ReadonlySet<string> };

/** So many may be named one by one. */
export const MOST_NAMED = 1_000;

export const NOBODY: Selection = { all: false, ids: new Set() };
export const ALL: Selection = { all: true };

export function isChosen(selection: Selection, id: string): boolean {
  return selection.all || selection.ids.has(id);
}

export function isNobody(selection: Selection): boolean {
  return !selection.all && selection.ids.size === 0;
}

/** These chosen or not, and the others as before. Of all, those on the page stay chosen, for others are not seen. */
export function chosen(selection: Selection, ids: readonly string[], wanted: boolean, page: readonly string[]): Selection {
  const next = new Set(selection.all ? page : selection.ids);
  for (const id of ids) {
    if (wanted) next.add(id);
    else next.delete(id);
  }
  return next.size > MOST_NAMED ? selection : { all: false, ids: next };
}
