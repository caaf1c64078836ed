import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useCallback, useRef, useState } from 'react';
import { flushSync } from 'react-dom';
import { givenQuery } from '../../api/adminDecisions';
import { useReader } from '../../overview/useReader';
import { useSaidUntilNext } from '../../settings/useSaidUntilNext';
import { texts } from '../../texts';
import { formatCount } from '../../texts/format';
import { ErrorNotice } from '../../ui/ErrorNotice';
import { Notice } from '../../ui/Notice';
import { PageHeading } from '../../ui/PageHeading';
import { Placeholder } from '../../ui/Placeholder';
import { PageLinks } from '../PageLinks';
import classes from './Given.module.css';
import { GivenFilters } from './GivenFilters';
import { givenQueryOf, type GivenSearch } from './givenSearch';
import { GivenTable } from './GivenTable';

/** All limits that were ever given beside plans. Filters and page are in the address. */
export function GivenPage({ search }: { readonly search: GivenSearch }) {
  const reader = useReader();
  const navigate = useNavigate();
  const given = useQuery(givenQuery(givenQueryOf(search)));
  const [said, setSaid] = useState<string | null>(null);
  const forget = useCallback(() => setSaid(null), []);
  const place = useRef<HTMLDivElement>(null);
  const words = texts.adminGiven;
  const key = JSON.stringify(search);

  useSaidUntilNext(said !== null, forget);

  /** What was done is told here, for its line may be gone by then. */
  function tell(what: string) {
    flushSync(() => setSaid(what));
    place.current?.focus();
  }

  return (
    <>
      <PageHeading>{words.heading}</PageHeading>
      <p className={classes.quiet}>{words.lead}</p>
      <GivenFilters key={key} search={search} onShow={(wanted) => void navigate({ to: '/admin/overrides', search: wanted })} />
      <div ref={place} tabIndex={-1} className={classes.said}>
        {said !== null && <Notice tone="good" title={said} onClose={forget} />}
      </div>
      {given.isPending && <Placeholder width="100%" height={480} line={504} />}
      {given.isError && <ErrorNotice error={given.error} title={words.failed} onRetry={() => void given.refetch()} />}
      {given.data && (
        <>
          {given.data.items.length > 0 ? (
            <>
              <p role="status" className={classes.quiet}>
                {countText(given.data)}
              </p>
              <GivenTable items={given.data.items} reader={reader} isBusy={given.isPlaceholderData} onDone={tell} />
            </>
          ) : (
            <p role="status">{key === '{}' ? words.empty : words.nothing}</p>
          )}
          <PageLinks
            label={words.pages}
            page={given.data.page}
            pageSize={given.data.page_size}
            total={given.data.total}
            isExact={given.data.total_is_exact}
            shown={given.data.items.length}
          />
        </>
      )}
    </>
  );
}

function countText({ total, total_is_exact: isExact }: { readonly total: number; readonly total_is_exact: boolean }) {
  const words = texts.adminGiven;
  if (total === 1) return words.one;
  return isExact ? words.total(formatCount(total)) : words.atLeast(formatCount(total));
}
