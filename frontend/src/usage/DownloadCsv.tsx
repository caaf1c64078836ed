import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { api } from '../api/client';
import { answerOf } from '../api/problem';
import type { MeterUsage } from '../api/types';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Notice } from '../ui/Notice';
import { saveFile } from '../ui/saveFile';
import classes from './History.module.css';
import type { Period } from './period';
import { useStart } from './useSeries';

interface Download {
  readonly meter: string;
  readonly from: string;
  readonly file: string;
}

/** Fetches every event of a time as the signed-in user, which no plain link could, and saves them. Returns the name. */
async function download({ meter, from, file }: Download): Promise<string> {
  const query = { meter, from };
  saveFile(await answerOf(api.GET('/v1/usage/export.csv', { params: { query }, parseAs: 'blob' })), file);
  return file;
}

interface DownloadCsvProps {
  readonly meter: MeterUsage;
  readonly period: Period;
}

/** The events of a meter in a period, as a file; below the action what became of it. */
export function DownloadCsv({ meter, period }: DownloadCsvProps) {
  const from = useStart(meter, period);
  const saving = useMutation({ mutationFn: download });
  const words = texts.history;
  return (
    <>
      <Button
        variant="default"
        loading={saving.isPending}
        disabled={from === null}
        onClick={() => {
          if (from !== null) saving.mutate({ meter: meter.meter, from, file: words.file(meter.meter, period) });
        }}
      >
        {words.download}
      </Button>
      {saving.isError && (
        <div className={classes.outcome}>
          <ErrorNotice error={saving.error} title={words.notDownloaded} />
        </div>
      )}
      {saving.isSuccess && (
        <div className={classes.outcome}>
          <Notice tone="good" title={words.downloaded(saving.data)} />
        </div>
      )}
    </>
  );
}
