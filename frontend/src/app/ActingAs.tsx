import { Button } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useSyncExternalStore } from 'react';
import { impersonating, stopActing } from '../api/client';
import { meQuery } from '../api/queries';
import { useReader } from '../overview/useReader';
import { texts } from '../texts';
import { formatClock, zoneName } from '../texts/format';
import { Notice } from '../ui/Notice';
import classes from './ActingAs.module.css';

/** Above every page while an operator acts as a user: as whom, until when, what they may, and the way out. */
export function ActingAs() {
  const held = useSyncExternalStore(impersonating.subscribe, () => impersonating.held);
  const stopped = useSyncExternalStore(impersonating.subscribe, () => impersonating.stopped);
  const me = useQuery({ ...meQuery, enabled: held !== null }).data;
  const reader = useReader();
  const navigate = useNavigate();
  const words = texts.actingAs;
  const leaving = useMutation({
    mutationFn: async (userId: string) => {
      await navigate({ to: '/admin/users/$userId', params: { userId } });
      await stopActing();
    },
  });
  if (held === null) {
    if (stopped !== 'over') return null;
    return (
      <div className={classes.over}>
        <Notice tone="near" title={words.over} onClose={() => impersonating.read()}>
          <p>{words.overDetail}</p>
        </Notice>
      </div>
    );
  }
  const now = me?.impersonation;
  return (
    <section className={classes.banner} aria-label={words.label}>
      <div className={classes.bar}>
        <p className={classes.text} role="status">
          <strong>{words.actsAs(me?.email ?? '…')}</strong>{' '}
          {now && (
            <>
              {now.may_write ? words.mayWrite : words.looksOnly}{' '}
              {words.until(`${formatClock(now.expires_at, reader.zone, reader.now)} ${zoneName(reader.zone)}`)}
            </>
          )}
        </p>
        <Button
          variant="default"
          size="compact-md"
          loading={leaving.isPending}
          onClick={() => leaving.mutate(held.userId)}
        >
          {words.stop}
        </Button>
      </div>
    </section>
  );
}
