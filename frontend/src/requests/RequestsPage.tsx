import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { denialsQuery } from '../api/queries';
import live from '../live/Live.module.css';
import { useReader } from '../overview/useReader';
import { texts } from '../texts';
import { between } from '../texts/days';
import { ErrorNotice } from '../ui/ErrorNotice';
import { PageHeading } from '../ui/PageHeading';
import { Panel } from '../ui/Panel';
import { Placeholder } from '../ui/Placeholder';
import { useUnits } from '../usage/units';
import { DenialList } from './DenialList';
import { Filters } from './Filters';
import { FindForm } from './FindForm';
import type { RequestsSearch } from './search';

/** What was refused to the account, and the way to why. */
export function RequestsPage({ search }: { readonly search: RequestsSearch }) {
  const words = texts.requests;
  return (
    <>
      <PageHeading>{words.heading}</PageHeading>
      <Panel heading={words.find}>
        <FindForm />
      </Panel>
      <Panel heading={words.list}>
        <p className={live.quiet}>{words.lead}</p>
        <Filters search={search} />
        <Denials search={search} />
      </Panel>
    </>
  );
}

function Denials({ search }: { readonly search: RequestsSearch }) {
  const reader = useReader();
  const unitOf = useUnits();
  const { code, meter } = search;
  const found = useInfiniteQuery(denialsQuery({ code, meter, ...between(search, reader.zone) }));
  const words = texts.requests;
  const retry = (): void => void found.refetch();
  if (found.isPending) return <Placeholder width="100%" height={240} line={264} />;
  const items = found.data?.pages.flatMap((page) => page.items) ?? [];
  const isFiltered = Object.keys(search).length > 0;
  return (
    <>
      {found.isError && (
        <ErrorNotice
          tone={found.data === undefined ? 'over' : 'near'}
          error={found.error}
          title={found.data === undefined ? words.failed : words.stale}
          still={words.failedStill}
          onRetry={retry}
        />
      )}
      {found.data !== undefined && items.length === 0 && (
        <p>{isFiltered ? words.emptyFiltered : `${words.empty} ${words.emptyDetail}`}</p>
      )}
      {items.length > 0 && <DenialList items={items} unitOf={unitOf} reader={reader} />}
      {found.hasNextPage && (
        <div>
          <Button variant="default" loading={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
            {words.older}
          </Button>
        </div>
      )}
    </>
  );
}
