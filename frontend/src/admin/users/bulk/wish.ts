import type { BulkWish, Permission } from '../../../api/types';
import { daysOf } from '../../user/acts/days';
import type { Selection } from '../selection';
import type { UsersSearch } from '../usersSearch';

export type BulkKind = BulkWish['action'];

/** The acts for many in their order, and what one needs for each. */
export const KINDS: readonly { readonly kind: BulkKind; readonly permission: Permission }[] = [
  { kind: 'lock', permission: 'users.lock' },
  { kind: 'unlock', permission: 'users.lock' },
  { kind: 'revoke_sessions', permission: 'users.sessions' },
  { kind: 'resend_verification', permission: 'users.edit' },
  { kind: 'upgrade_plan', permission: 'plans.assign' },
];

export interface Chosen {
  readonly kind: BulkKind;
  /** For `upgrade_plan` alone: the plan, and for how many days as it was typed. */
  readonly plan: string | undefined;
  readonly days: string;
}

/** What is asked of the server; null while something is missing. */
export function wishOf({ kind, plan, days }: Chosen, selection: Selection, search: UsersSearch): BulkWish | null {
  const { q = null, status = null, plan: onPlan = null, role = null } = search;
  const users = selection.all ? { filter: { q, status, plan: onPlan, role } } : { ids: [...selection.ids] };
  if (kind !== 'upgrade_plan') return { action: kind, ...users };
  const duration = daysOf(days);
  if (plan === undefined || duration === null) return null;
  return { action: kind, ...users, plan_name: plan, duration_days: duration };
}
