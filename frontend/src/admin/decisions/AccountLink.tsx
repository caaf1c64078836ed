import { Link } from '@tanstack/react-router';
import type { NamedAccount } from '../../api/types';
import { texts } from '../../texts';
import classes from './Decisions.module.css';

/** An account by its name: a user's own leads to the user, a host application's is told by the host's own id. */
export function AccountLink({ account }: { readonly account: NamedAccount }) {
  const words = texts.adminDecisions;
  return (
    <>
      {account.user_id === null ? (
        account.name
      ) : (
        <Link to="/admin/users/$userId" params={{ userId: account.user_id }}>
          {account.name}
        </Link>
      )}
      {account.external_id !== null && (
        <span className={classes.details}>
          <code>{`external:${account.external_id}`}</code>
        </span>
      )}
      {account.status !== 'active' && <span className={classes.details}>{words.statuses[account.status]}</span>}
    </>
  );
}
