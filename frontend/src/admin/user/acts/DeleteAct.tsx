import { useQuery } from '@tanstack/react-query';
import { deletionQuery } from '../../../api/adminQueries';
import { api } from '../../../api/client';
import { answerOf } from '../../../api/problem';
import { texts } from '../../../texts';
import { ErrorNotice } from '../../../ui/ErrorNotice';
import { Placeholder } from '../../../ui/Placeholder';
import { Act } from './Act';
import { pathOf, type ActProps } from './actProps';
import { takenAlong } from './deletionText';

/** Ends a user. What goes with them is shown before. */
export function DeleteUser({ user }: ActProps) {
  const words = texts.adminUser.remove;
  // Loaded where it is shown.
  const isKnown = useQuery({ ...deletionQuery(user.id), enabled: false }).data !== undefined;
  async function act() {
    await answerOf(api.DELETE('/v1/admin/users/{user_id}', pathOf(user)));
    return words.done;
  }
  return <Act {...words} act={act} isPossible={isKnown} fields={<TakenAlong user={user} />} />;
}

function TakenAlong({ user }: ActProps) {
  const deletion = useQuery(deletionQuery(user.id));
  const words = texts.adminUser.remove;
  if (deletion.data === undefined) {
    if (deletion.isPending) return <Placeholder width="100%" height={120} line={140} />;
    return <ErrorNotice error={deletion.error} title={words.failed} onRetry={() => void deletion.refetch()} />;
  }
  const alone = deletion.data.accounts.filter((account) => account.is_only_member);
  return (
    <>
      <div>
        <p>{words.takes}</p>
        <ul>
          {takenAlong(deletion.data).map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      </div>
      {alone.length > 0 && (
        <div>
          <p>{words.alone}</p>
          <ul>
            {alone.map((account) => (
              <li key={account.account_id}>{account.account_name}</li>
            ))}
          </ul>
        </div>
      )}
    </>
  );
}
