import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Navigate, useNavigate } from '@tanstack/react-router';
import { refusalsQuery } from '../../api/adminDecisions';
import { useReader } from '../../overview/useReader';
import { texts } from '../../texts';
import { zoneName } from '../../texts/format';
import { ErrorNotice } from '../../ui/ErrorNotice';
import { PageHeading } from '../../ui/PageHeading';
import { Placeholder } from '../../ui/Placeholder';
import { DecisionFilters } from './DecisionFilters';
import classes from './Decisions.module.css';
import { refusalsOf, type DecisionsSearch } from './decisionsSearch';
import { DecisionTable } from './DecisionTable';
import { isAddress, isKey } from './meant';

/** What was refused to anybody, and the way to why. All that is looked for is in the address. */
export function DecisionsPage({ search }: { readonly search: DecisionsSearch }) {
  const navigate = useNavigate();
  const words = texts.adminDecisions;
  const key = JSON.stringify(search);
  if (search.q !== undefined && isAddress(search.q)) return <Navigate to="/admin/users" search={{ q: search.q }} replace />;
  return (
    <>
      <PageHeading>{words.heading}</PageHeading>
      {/* Another address, such as on the way back, fills the form anew. */}
      <DecisionFilters
        key={key}
        search={search}
        onShow={(wanted) => void navigate({ to: '/admin/decisions', search: wanted })}
      />
      <Refusals search={search} />
    </>
  );
}

function Refusals({ search }: { readonly search: DecisionsSearch }) {
  const reader = useReader();
  const found = useInfiniteQuery(refusalsQuery(refusalsOf(search, reader.zone)));
  const words = texts.adminDecisions;
  if (found.isPending) return <Placeholder width="100%" height={480} line={504} />;
  const items = found.data?.pages.flatMap((page) => page.items) ?? [];
  const [only] = items;
  // An id names one refusal, whose page is what was wanted; of several, the reader chooses.
  const isNamed = search.q !== undefined && !isKey(search.q);
  if (isNamed && only !== undefined && items.length === 1 && !found.hasNextPage) {
    return <Navigate to="/admin/decisions/$decision" params={{ decision: only.id }} replace />;
  }
  return (
    <>
      {found.isError && (
        <ErrorNotice
          tone={found.data === undefined ? 'over' : 'near'}
          error={found.error}
          title={found.data === undefined ? words.failed : words.stale}
          onRetry={() => void found.refetch()}
        />
      )}
      {found.data !== undefined && items.length === 0 && (
        <p role="status">{emptyText(search, isNamed, found.hasNextPage)}</p>
      )}
      {items.length > 0 && (
        <>
          <p className={classes.quiet}>{words.zone(zoneName(reader.zone))}</p>
          <DecisionTable items={items} reader={reader} />
        </>
      )}
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

function emptyText(search: DecisionsSearch, isNamed: boolean, goesOn: boolean): string {
  const words = texts.adminDecisions;
  if (goesOn) return words.notYet;
  if (isNamed) return words.noId;
  return Object.keys(search).length > 0 ? words.nothing : words.empty;
}
