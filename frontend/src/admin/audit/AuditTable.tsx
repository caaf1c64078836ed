import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { Fragment, useState } from 'react';
import type { AuditEvent } from '../../api/types';
import { texts } from '../../texts';
import { formatClock, formatCount } from '../../texts/format';
import type { Reader } from '../../usage/meterText';
import { DataTable } from '../DataTable';
import classes from './Audit.module.css';
import { ChangeTable } from './ChangeTable';

interface AuditTableProps {
  readonly events: readonly AuditEvent[];
  readonly reader: Reader;
  readonly isBusy: boolean;
}

/** Acts line by line; each opens to what it changed. */
export function AuditTable({ events, reader, isBusy }: AuditTableProps) {
  const words = texts.audit;
  return (
    <DataTable caption={words.table} isBusy={isBusy} stacks>
      <thead>
        <tr>
          <th scope="col">{words.at}</th>
          <th scope="col">{words.action}</th>
          <th scope="col">{words.actor}</th>
          <th scope="col">{words.target}</th>
          <th scope="col">{words.reason}</th>
          <th scope="col">{words.seal}</th>
          <th scope="col">{words.details}</th>
        </tr>
      </thead>
      <tbody>
        {events.map((event) => (
          <Row key={event.id} event={event} reader={reader} />
        ))}
      </tbody>
    </DataTable>
  );
}

const COLUMNS = 7;

function Row({ event, reader }: { readonly event: AuditEvent; readonly reader: Reader }) {
  const words = texts.audit;
  const [isOpen, setIsOpen] = useState(false);
  const id = `event-${event.id}`;
  const at = formatClock(event.at, reader.zone, reader.now);
  return (
    <Fragment>
      <tr>
        <th scope="row" className={classes.fixed}>
          <time dateTime={event.at}>{at}</time>
        </th>
        <td data-label={words.action}>
          <code>{event.action}</code>
        </td>
        <td className={classes.cell} data-label={words.actor}>
          <Actor event={event} />
        </td>
        <td className={classes.cell} data-label={words.target}>
          <Target event={event} />
        </td>
        <td className={classes.cell} data-label={words.reason}>
          {event.reason}
        </td>
        <td className={classes.fixed} data-label={words.seal}>
          {event.seal === null ? words.unsealed : words.sealed(formatCount(event.seal))}
        </td>
        <td>
          <Button
            variant="default"
            size="compact-sm"
            aria-expanded={isOpen}
            aria-controls={id}
            aria-label={isOpen ? words.closeOf(event.action, at) : words.openOf(event.action, at)}
            onClick={() => setIsOpen(!isOpen)}
          >
            {isOpen ? words.close : words.open}
          </Button>
        </td>
      </tr>
      {isOpen && (
        <tr id={id} className={classes.opened}>
          <td colSpan={COLUMNS}>
            <ChangeTable event={event} />
            <dl className={classes.facts}>
              <dt>{words.event}</dt>
              <dd>
                <code>{event.id}</code>
              </dd>
              <dt>{words.request}</dt>
              <dd>{event.request_id === null ? words.none : <code>{event.request_id}</code>}</dd>
              <dt>{words.address}</dt>
              <dd>{event.address ?? words.none}</dd>
            </dl>
          </td>
        </tr>
      )}
    </Fragment>
  );
}

/** Who did it, and as whom where they acted as somebody else: both are named. */
function Actor({ event }: { readonly event: AuditEvent }) {
  const words = texts.audit;
  const { actor_id: actor, real_actor_id: real } = event;
  if (actor === null) return words.actors[event.actor_kind];
  const named = <UserLink id={actor} email={event.actor_email} />;
  if (real === null) return named;
  return (
    <>
      <UserLink id={real} email={event.real_actor_email} /> {words.actedAs} {named}
    </>
  );
}

function Target({ event: { target_kind: kind, target_id: target, target_email: email } }: { readonly event: AuditEvent }) {
  if (target === null) return null;
  return (
    <>
      {kind} {kind === 'user' ? <UserLink id={target} email={email} /> : <code>{target}</code>}
    </>
  );
}

interface UserLinkProps {
  readonly id: string;
  /** The one they have now; null where none is known. */
  readonly email: string | null;
}

function UserLink({ id, email }: UserLinkProps) {
  return (
    <Link to="/admin/users/$userId" params={{ userId: id }} title={id}>
      {email ?? <code>{id}</code>}
    </Link>
  );
}
