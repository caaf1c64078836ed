import type { Operator, Permission, UserRow, UserWhole } from '../api/types';
import { me } from './me';

export const OPERATOR_ID = '0199f0aa-0000-7000-8000-0000000000bb';
export const USER_ID = '0199f0aa-0000-7000-8000-0000000000cc';

const ALL: readonly Permission[] = [
  'audit.read',
  'decisions.read',
  'notes.write',
  'overrides.write',
  'plans.assign',
  'stats.read',
  'users.address',
  'users.delete',
  'users.edit',
  'users.impersonate',
  'users.impersonate_write',
  'users.lock',
  'users.read',
  'users.roles',
  'users.second_factor',
  'users.sessions',
];

/** What the network answers about a signed-in operator who may all of these; everything, if nothing is said. */
export function operates(permissions: readonly Permission[] = ALL, roles: Operator['roles'] = ['superadmin']) {
  const operator: Operator = {
    user_id: OPERATOR_ID,
    email: 'root@example.com',
    roles,
    permissions: [...permissions],
  };
  return {
    'GET /v1/auth/me': [200, me({ id: OPERATOR_ID, email: 'root@example.com', roles })],
    'GET /v1/admin/me': [200, operator],
  } as const;
}

export function userRow(changes: Partial<UserRow> = {}): UserRow {
  return {
    id: USER_ID,
    email: 'grace@example.com',
    name: null,
    status: 'active',
    mfa_enabled: false,
    roles: [],
    account_id: '0199f0aa-0000-7000-8000-0000000000dd',
    plan: 'free',
    created_at: '2026-11-01T10:00:00Z',
    last_login_at: null,
    ...changes,
  };
}

export function usersPage(items: readonly UserRow[], changes: object = {}) {
  return [200, { page: 1, page_size: 50, total: items.length, total_is_exact: true, items, ...changes }] as const;
}

export function userWhole(changes: Partial<UserWhole> = {}): UserWhole {
  return {
    ...userRow(),
    email_verified_at: '2026-11-01T10:05:00Z',
    deleted_at: null,
    subscription: null,
    plan_terms: null,
    usage: null,
    sessions: [],
    notes: [],
    denials: [],
    keys: [],
    ...changes,
  };
}
