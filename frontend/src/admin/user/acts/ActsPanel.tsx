import type { UserWhole } from '../../../api/types';
import { texts } from '../../../texts';
import { Panel } from '../../../ui/Panel';
import { useOperator, type KnownOperator } from '../../useOperator';
import classes from '../User.module.css';
import { ActList } from './ActList';
import { actsOf, actsOn } from './actTable';

/** All that the reader may do to a user, as they are now; nothing for who only looks. */
export function ActsPanel({ user }: { readonly user: UserWhole }) {
  const operator = useOperator();
  if (actsOf(operator).length === 0) return null;
  const why = whyNot(user, operator);
  return (
    <Panel heading={texts.adminUser.acts}>
      {why !== null && <p className={classes.quiet}>{why}</p>}
      <ActList>
        {actsOn(user, operator).map(({ name, Act }) => (
          <Act key={name} user={user} />
        ))}
      </ActList>
    </Panel>
  );
}

/** Why something that the role allows is not offered here. */
function whyNot(user: UserWhole, operator: KnownOperator): string | null {
  const words = texts.adminUser;
  const barred = operator.barredFrom(user);
  if (user.deleted_at !== null) return words.isDeleted;
  if (barred === 'oneself') return operator.isSuperadmin ? words.oneself : words.oneselfGets(words.oneself);
  if (barred === 'operator') return words.isOperator;
  return user.roles.length > 0 ? words.noActingAs : null;
}
