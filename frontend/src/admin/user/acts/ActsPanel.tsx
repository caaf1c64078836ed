import type { UserWhole } from '../../../api/types';
import { texts } from '../../../texts';
import { Panel } from '../../../ui/Panel';
import { useOperator } from '../../useOperator';
import classes from '../User.module.css';
import { ClearLimits, Lock, ResetSecondFactor, RevokeSessions, Unlock } from './accessActs';
import { ActList } from './ActList';
import { ChangeAddress, Rename, ResendLink } from './identityActs';
import { AssignPlan } from './PlanAct';
import { SetRoles } from './RolesAct';

/** All that the reader may do to a user, as they are now. */
export function ActsPanel({ user }: { readonly user: UserWhole }) {
  const { userId, may } = useOperator();
  const words = texts.adminUser;
  const isOneself = user.id === userId;
  return (
    <Panel heading={words.acts}>
      {isOneself && <p className={classes.quiet}>{words.oneself}</p>}
      <ActList>
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
      </ActList>
    </Panel>
  );
}
