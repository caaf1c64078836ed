import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { userEventsQuery } from '../../api/adminQueries';
import type { UserWhole } from '../../api/types';
import { texts } from '../../texts';
import { ErrorNotice } from '../../ui/ErrorNotice';
import { Placeholder } from '../../ui/Placeholder';
import type { Reader } from '../../usage/meterText';
import { AuditTable } from '../audit/AuditTable';
import { PageLinks } from '../PageLinks';
import classes from './User.module.css';

interface AuditTabProps {
  readonly user: UserWhole;
  readonly page: number;
  readonly reader: Reader;
}

/** What was done to the user, by whom and why. */
export function AuditTab({ user, page, reader }: AuditTabProps) {
  const events = useQuery(userEventsQuery(user.id, page));
  const words = texts.adminUser.audit;
  if (events.data === undefined) {
    if (events.isPending) return <Placeholder width="100%" height={240} line={264} />;
    return <ErrorNotice error={events.error} title={texts.audit.failed} onRetry={() => void events.refetch()} />;
  }
  return (
    <>
      {events.data.items.length === 0 ? (
        <p className={classes.quiet}>{words.none}</p>
      ) : (
        <AuditTable events={events.data.items} reader={reader} isBusy={events.isFetching} />
      )}
      <PageLinks
        label={texts.audit.pages}
        page={events.data.page}
        pageSize={events.data.page_size}
        total={events.data.total}
        isExact={events.data.total_is_exact}
        shown={events.data.items.length}
      />
      <p>
        <Link to="/admin/audit" search={{ actor: user.id }}>
          {words.by}
        </Link>
      </p>
    </>
  );
}
