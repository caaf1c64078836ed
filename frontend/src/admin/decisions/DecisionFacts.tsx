import { Link } from '@tanstack/react-router';
import type { RefusalWhole } from '../../api/types';
import { texts } from '../../texts';
import { formatCount } from '../../texts/format';
import { AccountLink } from './AccountLink';
import classes from './Decisions.module.css';

/** Who was refused, as operators may see it: pairs for the list of facts. */
export function DecisionFacts({ decision }: { readonly decision: RefusalWhole }) {
  const words = texts.adminDecisions;
  const { account, key, subject } = decision;
  return (
    <>
      <dt>{words.account}</dt>
      <dd>
        <AccountLink account={account} />
      </dd>
      <dt>{words.accountId}</dt>
      <dd>
        <Link to="/admin/decisions" search={{ account: account.id }}>
          <code>{account.id}</code>
        </Link>
      </dd>
      {key !== null && (
        <>
          <dt>{words.key}</dt>
          <dd>{words.keyValue[key.kind](texts.why.key(key.prefix, key.name), words.keyStates[key.state])}</dd>
        </>
      )}
      {subject !== null && (
        <>
          <dt>{words.subject}</dt>
          <dd>
            <Subject subject={subject} userId={account.user_id} />
          </dd>
        </>
      )}
      <dt>{texts.why.plan}</dt>
      <dd>{texts.why.planValue(decision.plan, formatCount(decision.plan_version))}</dd>
    </>
  );
}

const OPERATOR = 'operator:';

function Subject({ subject, userId }: { readonly subject: string; readonly userId: string | null }) {
  const words = texts.adminDecisions;
  if (subject === userId) return words.themselves;
  if (!subject.startsWith(OPERATOR)) return <code>{subject}</code>;
  const operator = subject.slice(OPERATOR.length);
  return (
    <>
      <Link to="/admin/users/$userId" params={{ userId: operator }}>
        {words.operator}
      </Link>
      <span className={classes.details}>
        <code>{operator}</code>
      </span>
    </>
  );
}
