import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { refusalsQuery } from '../../api/adminDecisions';
import type { UserWhole } from '../../api/types';
import { texts } from '../../texts';
import { zoneName } from '../../texts/format';
import { ErrorNotice } from '../../ui/ErrorNotice';
import { Placeholder } from '../../ui/Placeholder';
import type { Reader } from '../../usage/meterText';
import { DecisionTable } from '../decisions/DecisionTable';
import classes from './User.module.css';

interface RequestsTabProps {
  readonly user: UserWhole;
  readonly reader: Reader;
}

/** What was refused to the user's own account, the newest first, and the way to why. */
export function RequestsTab({ user, reader }: RequestsTabProps) {
  const found = useInfiniteQuery(refusalsQuery({ user_id: user.id }));
  const words = texts.adminDecisions;
  if (found.data === undefined) {
    if (found.isPending) return <Placeholder width="100%" height={240} line={264} />;
    return <ErrorNotice error={found.error} title={words.failed} onRetry={() => void found.refetch()} />;
  }
  const items = found.data.pages.flatMap((page) => page.items);
  return (
    <>
      {found.isError && (
        <ErrorNotice tone="near" error={found.error} title={words.stale} onRetry={() => void found.refetch()} />
      )}
      {items.length === 0 && (
        <p className={classes.quiet}>{found.hasNextPage ? words.notYet : texts.adminUser.requests.none}</p>
      )}
      {items.length > 0 && (
        <>
          <p className={classes.quiet}>{words.zone(zoneName(reader.zone))}</p>
          <DecisionTable items={items} reader={reader} />
        </>
      )}
      {found.hasNextPage && (
        <div>
          <Button
            variant="default"
            size="compact-sm"
            loading={found.isFetchingNextPage}
            onClick={() => void found.fetchNextPage()}
          >
            {words.older}
          </Button>
        </div>
      )}
    </>
  );
}
