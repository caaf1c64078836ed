import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { bulkActionQuery, USERS } from '../../../api/adminQueries';
import { api } from '../../../api/client';
import { answerOf } from '../../../api/problem';
import { texts } from '../../../texts';
import { ErrorNotice } from '../../../ui/ErrorNotice';
import { Notice } from '../../../ui/Notice';
import classes from './Bulk.module.css';
import { leftOutLines, progressText } from './bulkText';

interface BulkProgressProps {
  readonly id: string;
  readonly onClose: () => void;
}

/** How far an act on many users is, until it has ended, and the way to stop it. */
export function BulkProgress({ id, onClose }: BulkProgressProps) {
  const client = useQueryClient();
  const progress = useQuery(bulkActionQuery(id));
  const words = texts.adminBulk;
  const stopping = useMutation({
    mutationFn: () =>
      answerOf(api.POST('/v1/admin/bulk-actions/{bulk_action_id}/stop', { params: { path: { bulk_action_id: id } } })),
    onSettled: () => client.invalidateQueries({ queryKey: bulkActionQuery(id).queryKey }),
  });
  const found = progress.data;
  const done = found?.done;
  useEffect(() => {
    // The list shows users as they are now.
    if (done !== undefined) void client.invalidateQueries({ queryKey: USERS });
  }, [client, done]);

  if (found === undefined) {
    if (progress.isPending) return <p role="status">{words.begins}</p>;
    return <ErrorNotice error={progress.error} title={words.unknown} onRetry={() => void progress.refetch()} />;
  }
  const lines = leftOutLines(found.left_out);
  const isRunning = found.state === 'running';
  return (
    <>
      <Notice
        tone={found.state === 'finished' ? 'good' : 'near'}
        title={words.states[found.state](words.kinds[found.action])}
        foot={
          isRunning && (
            <Button variant="default" size="compact-sm" loading={stopping.isPending} onClick={() => stopping.mutate()}>
              {words.stop}
            </Button>
          )
        }
        {...(isRunning ? {} : { onClose })}
      >
        <p>{progressText(found)}</p>
        <progress className={classes.progress} max={found.total} value={found.total - found.waiting} aria-label={words.progress} />
        {found.detail !== null && <p>{found.detail}</p>}
        {lines.map((line) => (
          <p key={line}>{line}</p>
        ))}
      </Notice>
      {stopping.isError && <ErrorNotice error={stopping.error} title={words.notStopped} />}
    </>
  );
}
