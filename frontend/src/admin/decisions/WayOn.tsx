import { Link } from '@tanstack/react-router';
import type { RefusalWhole } from '../../api/types';
import { texts } from '../../texts';
import why from '../../why/Why.module.css';
import { isId } from '../audit/auditSearch';
import { useOperator } from '../useOperator';

/** Where an operator does what helps: at the user who was refused, or whose account it was. */
export function WayOn({ decision }: { readonly decision: RefusalWhole }) {
  const operator = useOperator();
  const { account, key, now, subject } = decision;
  const words = texts.adminDecisions;
  if (now.rule === 'credential') {
    if (!isId(subject)) return null;
    const isKeyOver = key !== null && key.state !== 'active';
    return (
      <p className={why.rooms}>
        <Link to="/admin/users/$userId" params={{ userId: subject }} search={isKeyOver ? { tab: 'keys' } : {}}>
          {isKeyOver ? words.seeKeys : words.seeUser}
        </Link>
      </p>
    );
  }
  const isOwn = account.user_id === operator.userId && !operator.isSuperadmin;
  const isPlan = now.fixes.some(({ kind }) => kind === 'upgrade');
  if (!isPlan || account.user_id === null || isOwn || !operator.may('plans.assign')) return null;
  return (
    <p className={why.rooms}>
      <Link to="/admin/users/$userId" params={{ userId: account.user_id }}>
        {words.assignPlan}
      </Link>
    </p>
  );
}
