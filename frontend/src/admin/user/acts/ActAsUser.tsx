import { NativeSelect } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { actAs, api } from '../../../api/client';
import { answerOf } from '../../../api/problem';
import { texts } from '../../../texts';
import { useOperator } from '../../useOperator';
import { Act } from './Act';
import { pathOf, type ActProps } from './actProps';
import { ReasonField } from './ReasonField';

/** Shows the operator what the user sees, in a session of its own. */
export function ActAsUser({ user }: ActProps) {
  const { may } = useOperator();
  const navigate = useNavigate();
  const [reason, setReason] = useState('');
  const [access, setAccess] = useState<'read' | 'write'>('read');
  const [isTried, setIsTried] = useState(false);
  const words = texts.actingAs;

  async function act() {
    const body = { reason: reason.trim(), access };
    const { access_token: token } = await answerOf(
      api.POST('/v1/admin/users/{user_id}/impersonate', { ...pathOf(user), body }),
    );
    // What operators see is left before, for the user may not see it.
    await navigate({ to: '/app' });
    actAs(user.id, token);
    return words.actsAs(user.email);
  }

  return (
    <Act
      name={texts.adminUser.see.name}
      detail={texts.adminUser.see.detail}
      begin={words.begin}
      question={words.lead}
      confirm={words.submit}
      act={act}
      isReady={() => {
        setIsTried(true);
        return reason.trim() !== '';
      }}
      fields={
        <>
          <ReasonField label={words.reason} hint={words.reasonHint} value={reason} onChange={setReason} isMissed={isTried} />
          {may('users.impersonate_write') && (
            <NativeSelect
              label={words.access}
              data={[
                { value: 'read', label: words.read },
                { value: 'write', label: words.write },
              ]}
              value={access}
              onChange={(event) => setAccess(event.currentTarget.value === 'write' ? 'write' : 'read')}
            />
          )}
        </>
      }
    />
  );
}
