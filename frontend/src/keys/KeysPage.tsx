import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { Button } from '@mantine/core';
import { useState } from 'react';
import { ApiError } from '../api/problem';
import { keysQuery } from '../api/queries';
import type { NewKey } from '../api/types';
import { useReader } from '../overview/useReader';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Notice } from '../ui/Notice';
import { PageHeading } from '../ui/PageHeading';
import { Panel } from '../ui/Panel';
import { Placeholder } from '../ui/Placeholder';
import { KeyList } from './KeyList';
import { NewKeyForm } from './NewKeyForm';
import { ShownKey } from './ShownKey';

interface Shown {
  readonly made: NewKey;
  readonly isRotated: boolean;
}

/** The keys of the account, and those that were just made: each is shown until the reader has kept it. */
export function KeysPage() {
  const reader = useReader();
  const keys = useInfiniteQuery(keysQuery);
  const client = useQueryClient();
  const [shown, setShown] = useState<readonly Shown[]>([]);
  const words = texts.keys;

  function show(made: NewKey, isRotated: boolean) {
    setShown((before) => [{ made, isRotated }, ...before]);
    void client.invalidateQueries({ queryKey: keysQuery.queryKey });
  }

  if (keys.error instanceof ApiError && keys.error.status === 403) {
    return (
      <>
        <PageHeading>{words.heading}</PageHeading>
        <Notice tone="near" title={words.forbidden}>
          <p>{words.forbiddenDetail}</p>
        </Notice>
      </>
    );
  }
  const first = keys.data?.pages[0];
  return (
    <>
      <PageHeading>{words.heading}</PageHeading>
      {shown.map((one) => (
        <ShownKey
          key={one.made.key}
          secret={one.made.key}
          isRotated={one.isRotated}
          onDone={() => setShown((before) => before.filter((other) => other !== one))}
        />
      ))}
      <Panel heading={words.list}>
        <p>{words.lead}</p>
        {first?.manages_all === false && <p>{words.leadOwn}</p>}
        {keys.isPending && <Placeholder width="100%" height={96} line={120} />}
        {keys.isError && (
          <ErrorNotice
            error={keys.error}
            title={words.failed}
            still={words.failedStill}
            onRetry={() => void keys.refetch()}
          />
        )}
        {keys.data && (
          <KeyList
            items={keys.data.pages.flatMap((page) => page.items)}
            reader={reader}
            onRotated={(made) => show(made, true)}
          />
        )}
        {keys.hasNextPage && (
          <Button variant="default" loading={keys.isFetchingNextPage} onClick={() => void keys.fetchNextPage()}>
            {words.more}
          </Button>
        )}
      </Panel>
      {keys.data && (
        <Panel heading={words.create}>
          <NewKeyForm onMade={(made) => show(made, false)} />
        </Panel>
      )}
    </>
  );
}
