import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { api } from '../../api/client';
import { answerOf } from '../../api/problem';
import type { AuditQuery } from '../../api/types';
import { texts } from '../../texts';
import { ErrorNotice } from '../../ui/ErrorNotice';
import { Notice } from '../../ui/Notice';
import { saveFile } from '../../ui/saveFile';
import classes from './Audit.module.css';

/** Fetches all of it as the signed-in operator, which no plain link could, and saves it. */
async function download(query: AuditQuery): Promise<void> {
  const call = api.GET('/v1/admin/audit-logs/export', { params: { query }, parseAs: 'blob' });
  saveFile(await answerOf(call), texts.audit.file);
}

/** All acts that the filters let through, not only this page, as a file. */
export function DownloadAudit({ query }: { readonly query: AuditQuery }) {
  const saving = useMutation({ mutationFn: download });
  const words = texts.audit;
  return (
    <>
      <div>
        <Button variant="default" loading={saving.isPending} onClick={() => saving.mutate(query)}>
          {words.download}
        </Button>
      </div>
      {!saving.isIdle && (
        <div className={classes.told}>
          {saving.isError && <ErrorNotice error={saving.error} title={words.notDownloaded} />}
          {saving.isSuccess && <Notice tone="good" title={words.downloaded} />}
        </div>
      )}
    </>
  );
}
