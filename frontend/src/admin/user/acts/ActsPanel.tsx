import type { UserWhole } from '../../../api/types';
import { texts } from '../../../texts';
import { Panel } from '../../../ui/Panel';
import { useOperator } from '../../useOperator';
import classes from '../User.module.css';
import { ClearLimits, Lock, ResetSecondFactor, RevokeSessions, Unlock } from './accessActs';
import { ActAsUser } from './ActAsUser';
import { ActList } from './ActList';
import { DeleteUser } from './DeleteAct';
import { ChangeAddress, Rename, ResendLink } from './identityActs';
import { AssignPlan } from './PlanAct';
import { SetRoles } from './RolesAct';

/** All that the reader may do to a user, as they are now. */
export function ActsPanel({ user }: { readonly user: UserWhole }) {
  const { userId } = useOperator();
  const words = texts.adminUser;
  return (
    <Panel heading={words.acts}>
      {user.id === userId && <p className={classes.quiet}>{words.oneself}</p>}
      {user.deleted_at !== null && <p className={classes.quiet}>{words.isDeleted}</p>}
      <ActList>{user.deleted_at === null && <Acts user={user} isOneself={user.id === userId} />}</ActList>
    </Panel>
  );
}

interface ActsProps {
  readonly user: UserWhole;
  readonly isOneself: boolean;
}

function Acts({ user, isOneself }: ActsProps) {
  const { may } = useOperator();
  return (
    <>
      {may('users.impersonate') && user.status === 'active' && !isOneself && <ActAsUser user={user} />}
      {may('users.edit') && <Rename user={user} />}
      {may('users.edit') && may('users.address') && !isOneself && <ChangeAddress user={user} />}
      {may('users.edit') && user.status === 'unverified' && <ResendLink user={user} />}
      {may('plans.assign') && <AssignPlan user={user} />}
      {may('users.edit') && <ClearLimits user={user} />}
      {may('users.sessions') && <RevokeSessions user={user} />}
      {may('users.second_factor') && user.mfa_enabled && !isOneself && <ResetSecondFactor user={user} />}
      {may('users.roles') && <SetRoles key={user.roles.toSorted().join()} user={user} />}
      {may('users.lock') && user.status === 'active' && !isOneself && <Lock user={user} />}
      {may('users.lock') && user.status === 'suspended' && <Unlock user={user} />}
      {may('users.delete') && !isOneself && <DeleteUser user={user} />}
    </>
  );
}
