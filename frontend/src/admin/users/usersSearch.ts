import type { UserRow, UsersQuery } from '../../api/types';

export const STATUSES: readonly UserRow['status'][] = ['active', 'unverified', 'suspended', 'deleted'];
export const ROLES: readonly NonNullable<UsersQuery['role']>[] = ['superadmin', 'admin', 'support', 'billing', 'read_only'];
export const SORTS: readonly NonNullable<UsersQuery['sort']>[] = ['-created_at', 'created_at', 'email', '-last_login_at'];

export const PAGE_SIZE = 50;
const MOST_TEXT = 320;
const LAST_PAGE = 10_000 / PAGE_SIZE;

/** What the address of the list of users says. */
export interface UsersSearch {
  /** Part of an address or a name, or an id. */
  readonly q?: string;
  readonly status?: UserRow['status'];
  /** The name of a plan. */
  readonly plan?: string;
  readonly role?: NonNullable<UsersQuery['role']>;
  readonly sort?: NonNullable<UsersQuery['sort']>;
  readonly page?: number;
}

function textOf(value: unknown): string | null {
  const text = typeof value === 'string' ? value.slice(0, MOST_TEXT) : '';
  return text === '' || text.includes('\0') ? null : text;
}

function pageOf(value: unknown): number | null {
  const page = Number(value);
  return Number.isInteger(page) && page > 1 && page <= LAST_PAGE ? page : null;
}

/** Reads the address; what it does not know, and what is so anyway, is left out. */
export function usersSearch(search: Record<string, unknown>): UsersSearch {
  const [q, plan, page] = [textOf(search.q), textOf(search.plan), pageOf(search.page)];
  const status = STATUSES.find((one) => one === search.status);
  const role = ROLES.find((one) => one === search.role);
  const sort = SORTS.find((one) => one === search.sort && one !== SORTS[0]);
  return {
    ...(q === null ? {} : { q }),
    ...(status === undefined ? {} : { status }),
    ...(plan === null ? {} : { plan }),
    ...(role === undefined ? {} : { role }),
    ...(sort === undefined ? {} : { sort }),
    ...(page === null ? {} : { page }),
  };
}

/** Whether it asks for some users alone. */
export function isNarrowed({ q, status, plan, role }: UsersSearch): boolean {
  return [q, status, plan, role].some((one) => one !== undefined);
}
