import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { auditQuery } from '../../api/adminQueries';
import { useReader } from '../../overview/useReader';
import { texts } from '../../texts';
import { formatCount, zoneName } from '../../texts/format';
import { ErrorNotice } from '../../ui/ErrorNotice';
import { Notice } from '../../ui/Notice';
import { PageHeading } from '../../ui/PageHeading';
import { Placeholder } from '../../ui/Placeholder';
import { PageLinks } from '../PageLinks';
import { useOperator } from '../useOperator';
import classes from './Audit.module.css';
import { AuditFilters } from './AuditFilters';
import { auditQueryOf, PAGE_SIZE, type AuditSearch } from './auditSearch';
import { AuditTable } from './AuditTable';
import { DownloadAudit } from './DownloadAudit';

/** What was done by whom. Filters and page are in the address; who may not read it is told so, and sees nothing else. */
export function AuditPage({ search }: { readonly search: AuditSearch }) {
  const { may } = useOperator();
  const words = texts.audit;
  if (may('audit.read')) return <Log search={search} />;
  return (
    <>
      <PageHeading>{words.heading}</PageHeading>
      <Notice tone="near" title={words.forbidden}>
        <p>{words.forbiddenDetail}</p>
      </Notice>
    </>
  );
}

function Log({ search }: { readonly search: AuditSearch }) {
  const reader = useReader();
  const navigate = useNavigate();
  const { page = 1, ...filters } = search;
  const query = auditQueryOf(filters, reader.zone);
  const events = useQuery(auditQuery({ ...query, page, page_size: PAGE_SIZE }));
  const words = texts.audit;
  const key = JSON.stringify(filters);
  return (
    <>
      <PageHeading>{words.heading}</PageHeading>
      <p className={classes.quiet}>{words.lead}</p>
      {/* Another address, such as on the way back, fills the form anew. */}
      <AuditFilters key={key} search={filters} onShow={(wanted) => void navigate({ to: '/admin/audit', search: wanted })} />
      {events.isPending && <Placeholder width="100%" height={480} line={504} />}
      {events.isError && (
        <ErrorNotice error={events.error} title={words.failed} onRetry={() => void events.refetch()} />
      )}
      {events.data && (
        <>
          <div className={classes.top}>
            <p role="status" className={classes.quiet}>
              {countText(events.data)} {words.zone(zoneName(reader.zone))}
            </p>
            <DownloadAudit key={key} query={query} />
          </div>
          {events.data.items.length > 0 ? (
            <AuditTable events={events.data.items} reader={reader} isBusy={events.isPlaceholderData} />
          ) : (
            <p>{key === '{}' && page === 1 ? words.empty : words.nothing}</p>
          )}
          <PageLinks
            label={words.pages}
            page={events.data.page}
            pageSize={events.data.page_size}
            total={events.data.total}
            isExact={events.data.total_is_exact}
            shown={events.data.items.length}
          />
        </>
      )}
    </>
  );
}

function countText({ total, total_is_exact: isExact }: { readonly total: number; readonly total_is_exact: boolean }) {
  const words = texts.audit;
  if (total === 1) return words.one;
  return isExact ? words.total(formatCount(total)) : words.atLeast(formatCount(total));
}
