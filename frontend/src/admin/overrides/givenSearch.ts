import type { GivenQuery, GivenToAccount } from '../../api/types';
import { texts } from '../../texts';

export const PAGE_SIZE = 50;
const LAST_PAGE = 10_000 / PAGE_SIZE;
const MOST_TEXT = 320;

/** What the address of the list says. */
export interface GivenSearch {
  readonly q?: string;
  readonly state?: GivenToAccount['state'];
  readonly meter?: string;
  readonly page?: number;
}

function textOf(value: unknown): string | null {
  const text = typeof value === 'string' ? value.trim().slice(0, MOST_TEXT) : '';
  return text === '' || text.includes('\0') ? null : text;
}

function isState(value: unknown): value is GivenToAccount['state'] {
  return typeof value === 'string' && Object.hasOwn(texts.adminUser.overrides.states, value);
}

/** Reads the address; what it does not know is left out. */
export function givenSearch(search: Record<string, unknown>): GivenSearch {
  const [q, meter, page] = [textOf(search.q), textOf(search.meter), Number(search.page)];
  return {
    ...(q === null ? {} : { q }),
    ...(isState(search.state) ? { state: search.state } : {}),
    ...(meter === null ? {} : { meter }),
    ...(Number.isInteger(page) && page > 1 && page <= LAST_PAGE ? { page } : {}),
  };
}

/** The same as the API asks for it. */
export function givenQueryOf(search: GivenSearch): GivenQuery {
  return { ...search, page_size: PAGE_SIZE };
}
