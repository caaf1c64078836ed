import { useState } from 'react';
import { ALL, chosen, NOBODY, type Selection } from './selection';

interface Choosing {
  readonly selection: Selection;
  /** Chooses these or not, on a page of so many. */
  readonly choose: (ids: readonly string[], wanted: boolean, page: readonly string[]) => void;
  readonly chooseAll: () => void;
  readonly clear: () => void;
}

/** Who is chosen of a list, over its pages. Of another list nobody is chosen yet. */
export function useSelection(list: string): Choosing {
  const [selection, setSelection] = useState(NOBODY);
  const [of, setOf] = useState(list);
  if (of !== list) {
    setOf(list);
    setSelection(NOBODY);
  }
  return {
    selection,
    choose: (ids, wanted, page) => setSelection((before) => chosen(before, ids, wanted, page)),
    chooseAll: () => setSelection(ALL),
    clear: () => setSelection(NOBODY),
  };
}
