import { useState } from 'react';
import { api } from '../../../api/client';
import { answerOf } from '../../../api/problem';
import { texts } from '../../../texts';
import { formatCount } from '../../../texts/format';
import { Act } from './Act';
import { pathOf, type ActProps } from './actProps';
import { ReasonField } from './ReasonField';

export function Lock({ user }: ActProps) {
  const [reason, setReason] = useState('');
  const [isTried, setIsTried] = useState(false);
  const words = texts.adminUser.lock;
  async function act() {
    await answerOf(api.POST('/v1/admin/users/{user_id}/lock', { ...pathOf(user), body: { reason: reason.trim() } }));
    return words.done(user.email);
  }
  return (
    <Act
      {...words}
      act={act}
     
      isReady={() => {
        setIsTried(true);
        return reason.trim() !== '';
      }}
      fields={
        <ReasonField label={words.reason} hint={words.reasonHint} value={reason} onChange={setReason} isMissed={isTried} />
      }
    />
  );
}

export function Unlock({ user }: ActProps) {
  const words = texts.adminUser.unlock;
  async function act() {
    await answerOf(api.POST('/v1/admin/users/{user_id}/unlock', pathOf(user)));
    return words.done(user.email);
  }
  return <Act {...words} act={act} />;
}

export function RevokeSessions({ user }: ActProps) {
  const words = texts.adminUser.revoke;
  async function act() {
    const { revoked_count: count } = await answerOf(api.POST('/v1/admin/users/{user_id}/revoke-sessions', pathOf(user)));
    return count === 1 ? words.doneOne : words.done(formatCount(count));
  }
  // As it is, an address that is not confirmed keeps the keys from working, and so does a lock.
  const detail = `${words.detail} ${user.status === 'active' ? words.keysGoOn : words.keysRest}`;
  return <Act {...words} detail={detail} act={act} />;
}

export function ResetSecondFactor({ user }: ActProps) {
  const words = texts.adminUser.resetFactor;
  async function act() {
    await answerOf(api.POST('/v1/admin/users/{user_id}/reset-2fa', pathOf(user)));
    return words.done(user.email);
  }
  return <Act {...words} act={act} />;
}

export function ClearLimits({ user }: ActProps) {
  const words = texts.adminUser.clearLimits;
  async function act() {
    const { cleared_count: count } = await answerOf(
      api.POST('/v1/admin/users/{user_id}/clear-rate-limits', pathOf(user)),
    );
    return words.done(formatCount(count));
  }
  return <Act {...words} act={act} />;
}
