import { useQuery } from '@tanstack/react-query';
import { userEventsQuery } from '../../api/adminQueries';
import type { AuditEvent, UserWhole } from '../../api/types';
import { texts } from '../../texts';
import { formatMoment } from '../../texts/format';
import { ErrorNotice } from '../../ui/ErrorNotice';
import { Placeholder } from '../../ui/Placeholder';
import type { Reader } from '../../usage/meterText';
import { DataTable } from '../DataTable';
import { PageLinks } from '../PageLinks';
import { actorText, changeLines } from './eventText';
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
    return <ErrorNotice error={events.error} title={words.failed} onRetry={() => void events.refetch()} />;
  }
  if (events.data.items.length === 0) return <p className={classes.quiet}>{words.none}</p>;
  return (
    <>
      <DataTable caption={words.caption}>
        <thead>
          <tr>
            <th scope="col">{words.at}</th>
            <th scope="col">{words.action}</th>
            <th scope="col">{words.actor}</th>
            <th scope="col">{words.reason}</th>
            <th scope="col">{words.change}</th>
            <th scope="col">{words.request}</th>
          </tr>
        </thead>
        <tbody>
          {events.data.items.map((event) => (
            <Row key={event.id} event={event} reader={reader} />
          ))}
        </tbody>
      </DataTable>
      <PageLinks
        label={words.pages}
        page={events.data.page}
        pageSize={events.data.page_size}
        total={events.data.total}
        isExact={events.data.total_is_exact}
        shown={events.data.items.length}
      />
    </>
  );
}

function Row({ event, reader }: { readonly event: AuditEvent; readonly reader: Reader }) {
  return (
    <tr>
      <th scope="row" className={classes.fixed}>
        {formatMoment(event.at, reader.zone, reader.now)}
      </th>
      <td>
        <code>{event.action}</code>
      </td>
      <td className={classes.cell}>{actorText(event)}</td>
      <td className={classes.cell}>{event.reason}</td>
      <td className={classes.cell}>
        {changeLines(event).map((line) => (
          <div key={line}>{line}</div>
        ))}
      </td>
      <td>
        <code>{event.request_id}</code>
      </td>
    </tr>
  );
}
