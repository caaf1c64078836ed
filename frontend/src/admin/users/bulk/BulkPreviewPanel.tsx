import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState, type SyntheticEvent } from 'react';
import { api } from '../../../api/client';
import { answerOf } from '../../../api/problem';
import type { BulkPreview, BulkWish } from '../../../api/types';
import { texts } from '../../../texts';
import { formatCount } from '../../../texts/format';
import { ErrorNotice } from '../../../ui/ErrorNotice';
import { ReasonField } from '../../user/acts/ReasonField';
import classes from './Bulk.module.css';
import { leftOutLines } from './bulkText';

interface BulkPreviewPanelProps {
  readonly wish: BulkWish;
  readonly preview: BulkPreview;
  readonly onStarted: (id: string) => void;
}

/** Whom an act would affect and whom not, and the act: it is done to exactly these. */
export function BulkPreviewPanel({ wish, preview, onStarted }: BulkPreviewPanelProps) {
  const [reason, setReason] = useState('');
  const [isTried, setIsTried] = useState(false);
  const words = texts.adminBulk;
  const starting = useMutation({
    mutationFn: () =>
      answerOf(
        api.POST('/v1/admin/bulk-actions', { body: { ...wish, ticket: preview.ticket, reason: reason.trim() } }),
      ),
    onSuccess: ({ id }) => onStarted(id),
  });
  const lines = leftOutLines(preview.left_out);

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setIsTried(true);
    if (reason.trim() !== '') starting.mutate();
  }

  return (
    <form className={classes.preview} onSubmit={submit} noValidate>
      <div role="status">
        <p className={classes.affected}>
          {words.affects(formatCount(preview.affected), formatCount(preview.matched))}
        </p>
        {lines.length > 0 && (
          <>
            <p>{words.leftOutLead}</p>
            <ul>
              {lines.map((line) => (
                <li key={line}>{line}</li>
              ))}
            </ul>
          </>
        )}
      </div>
      {preview.affected > 0 && (
        <>
          <p>{words.does[wish.action]}</p>
          <ReasonField
            label={words.reason}
            hint={words.reasonHint}
            value={reason}
            onChange={setReason}
            isMissed={isTried}
          />
          {starting.isError && <ErrorNotice error={starting.error} title={words.notStarted} />}
          <Button type="submit" size="sm" loading={starting.isPending}>
            {words.start[wish.action](formatCount(preview.affected))}
          </Button>
        </>
      )}
    </form>
  );
}
