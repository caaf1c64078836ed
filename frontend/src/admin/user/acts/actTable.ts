import type { ComponentType } from 'react';
import type { Permission, UserWhole } from '../../../api/types';
import type { KnownOperator } from '../../useOperator';
import { ClearLimits, Lock, ResetSecondFactor, RevokeSessions, Unlock } from './accessActs';
import { ActAsUser } from './ActAsUser';
import type { ActProps } from './actProps';
import { DeleteUser } from './DeleteAct';
import { ChangeAddress, Rename, ResendLink } from './identityActs';
import { AssignPlan } from './PlanAct';
import { SetRoles } from './RolesAct';

interface KnownAct {
  readonly name: string;
  readonly Act: ComponentType<ActProps>;
  readonly needs: readonly Permission[];
  /** Who may do it to themselves. */
  readonly toOneself: 'any' | 'superadmin' | 'nobody';
  /** Whether there is something to do, as the user is now. */
  readonly isDue?: (user: UserWhole) => boolean;
}

/** What can be done to a user, in the order in which it is offered. */
const ACTS: readonly KnownAct[] = [
  {
    name: 'see',
    Act: ActAsUser,
    needs: ['users.impersonate'],
    toOneself: 'nobody',
    isDue: ({ status, roles }) => status === 'active' && roles.length === 0,
  },
  { name: 'rename', Act: Rename, needs: ['users.edit'], toOneself: 'any' },
  { name: 'address', Act: ChangeAddress, needs: ['users.edit', 'users.address'], toOneself: 'nobody' },
  { name: 'resend', Act: ResendLink, needs: ['users.edit'], toOneself: 'any', isDue: ({ status }) => status === 'unverified' },
  { name: 'assign', Act: AssignPlan, needs: ['plans.assign'], toOneself: 'superadmin' },
  { name: 'clearLimits', Act: ClearLimits, needs: ['users.edit'], toOneself: 'any' },
  { name: 'revoke', Act: RevokeSessions, needs: ['users.sessions'], toOneself: 'any' },
  { name: 'resetFactor', Act: ResetSecondFactor, needs: ['users.second_factor'], toOneself: 'nobody', isDue: (user) => user.mfa_enabled },
  { name: 'setRoles', Act: SetRoles, needs: ['users.roles'], toOneself: 'any' },
  { name: 'lock', Act: Lock, needs: ['users.lock'], toOneself: 'nobody', isDue: ({ status }) => status === 'active' },
  { name: 'unlock', Act: Unlock, needs: ['users.lock'], toOneself: 'nobody', isDue: ({ status }) => status === 'suspended' },
  { name: 'remove', Act: DeleteUser, needs: ['users.delete'], toOneself: 'nobody' },
];

/** The acts that a role allows to anybody, whoever the user is. */
export function actsOf({ may }: KnownOperator): readonly KnownAct[] {
  return ACTS.filter(({ needs }) => needs.every(may));
}

/** Those of them that can be done to this user now. */
export function actsOn(user: UserWhole, operator: KnownOperator): readonly KnownAct[] {
  if (user.deleted_at !== null) return [];
  const barred = operator.barredFrom(user);
  return actsOf(operator).filter(({ toOneself, isDue }) => {
    if (barred === 'operator' || !(isDue?.(user) ?? true)) return false;
    return barred === null || toOneself === 'any' || (toOneself === 'superadmin' && operator.isSuperadmin);
  });
}
