import { TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { deletionQuery } from '../../../api/adminQueries';
import { api } from '../../../api/client';
import { answerOf } from '../../../api/problem';
import { texts } from '../../../texts';
import { ErrorNotice } from '../../../ui/ErrorNotice';
import { Placeholder } from '../../../ui/Placeholder';
import { Act } from './Act';
import { pathOf, type ActProps } from './actProps';
import { takenAlong } from './deletionText';
import { ReasonField } from './ReasonField';

/** Ends a user. What goes with them is shown before, and who it is has to be typed. */
export function DeleteUser({ user }: ActProps) {
  const [typed, setTyped] = useState('');
  const [reason, setReason] = useState('');
  const [isTried, setIsTried] = useState(false);
  const words = texts.adminUser.remove;
  // Loaded where it is shown.
  const isKnown = useQuery({ ...deletionQuery(user.id), enabled: false }).data !== undefined;
  const isTyped = typed.trim().toLowerCase() === user.email.toLowerCase();

  async function act() {
    const { path } = pathOf(user).params;
    const query = { reason: reason.trim() };
    await answerOf(api.DELETE('/v1/admin/users/{user_id}', { params: { path, query } }));
    return words.done;
  }

  return (
    <Act
      {...words}
      act={act}
      isPossible={isKnown && isTyped}
      isReady={() => {
        setIsTried(true);
        return reason.trim() !== '';
      }}
      fields={
        <>
          <TakenAlong user={user} />
          <TextInput
            label={words.address}
            description={words.addressHint(user.email)}
            autoComplete="off"
            spellCheck={false}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
          <ReasonField label={words.reason} hint={words.reasonHint} value={reason} onChange={setReason} isMissed={isTried} />
        </>
      }
    />
  );
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
