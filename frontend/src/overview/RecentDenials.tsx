import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { denialsQuery, REFRESH_MS } from '../api/queries';
import { DenialList } from '../requests/DenialList';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Placeholder } from '../ui/Placeholder';
import type { Reader } from '../usage/meterText';
import { useUnits } from '../usage/units';

const MOST = 3;

/** What was refused last, and the way to the rest. */
export function RecentDenials({ reader }: { readonly reader: Reader }) {
  const unitOf = useUnits();
  const found = useInfiniteQuery({ ...denialsQuery({}), refetchInterval: REFRESH_MS });
  const words = texts.requests;
  const items = found.data?.pages[0]?.items;
  if (found.isPending) return <Placeholder width="100%" height={16} line={24} />;
  if (items === undefined) {
    return (
      <ErrorNotice
        tone="near"
        error={found.error}
        title={words.failed}
        still={words.failedStill}
        onRetry={() => void found.refetch()}
      />
    );
  }
  if (items.length === 0) return <p>{words.empty}</p>;
  return (
    <>
      <DenialList items={items.slice(0, MOST)} unitOf={unitOf} reader={reader} />
      {items.length > MOST && (
        <p>
          <Link to="/app/requests">{words.all}</Link>
        </p>
      )}
    </>
  );
}
