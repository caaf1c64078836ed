import type { Permission } from '../../api/types';

/** The parts of a user's room in their order, and what one needs to see each beside the room itself. */
export const TABS = [
  { tab: 'overview', permission: 'users.read' },
  { tab: 'sessions', permission: 'users.read' },
  { tab: 'keys', permission: 'users.read' },
  { tab: 'requests', permission: 'decisions.read' },
  { tab: 'overrides', permission: 'users.read' },
  { tab: 'notes', permission: 'users.read' },
  { tab: 'audit', permission: 'audit.read' },
] as const satisfies readonly { readonly tab: string; readonly permission: Permission }[];

export type Tab = (typeof TABS)[number]['tab'];

/** What the address of a user's room says besides its path. */
export interface UserSearch {
  readonly tab?: Exclude<Tab, 'overview'>;
  readonly page?: number;
}

/** Reads the address; what it does not know is left out. */
export function userSearch(search: Record<string, unknown>): UserSearch {
  const found = TABS.find(({ tab }) => tab === search.tab)?.tab;
  const page = Number(search.page);
  return {
    ...(found === undefined || found === 'overview' ? {} : { tab: found }),
    ...(Number.isInteger(page) && page > 1 && page <= 10_000 ? { page } : {}),
  };
}
