import { Link } from '@tanstack/react-router';
import { refusalHeading } from '../../overview/refusalText';
import { texts } from '../../texts';
import { formatClock, formatCount } from '../../texts/format';
import { StopIcon } from '../../ui/icons';
import { formatAmount, formatUsed } from '../../usage/amount';
import type { Reader } from '../../usage/meterText';
import { knownUnit } from '../../usage/units';
import { DataTable } from '../DataTable';
import type { Act, Happening, Refused } from './happenings';
import classes from './Stream.module.css';

/** Refusals and acts in the order in which they happened, the newest first. */
export function HappeningTable({ rows, reader }: { readonly rows: readonly Happening[]; readonly reader: Reader }) {
  const words = texts.stream;
  return (
    <DataTable caption={words.table}>
      <thead>
        <tr>
          <th scope="col">{words.when}</th>
          <th scope="col">{words.what}</th>
          <th scope="col">{words.who}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) =>
          row.kind === 'act' ? (
            <ActRow key={row.id} act={row} reader={reader} />
          ) : (
            <RefusedRow key={row.id} row={row} reader={reader} />
          ),
        )}
      </tbody>
    </DataTable>
  );
}

function Time({ at, reader }: { readonly at: string; readonly reader: Reader }) {
  return (
    <td className={classes.fixed}>
      <time dateTime={at}>{formatClock(at, reader.zone, reader.now)}</time>
    </td>
  );
}

function RefusedRow({ row, reader }: { readonly row: Refused; readonly reader: Reader }) {
  const words = texts.stream;
  const what = refusalHeading(row.code, row.meter);
  return (
    <tr>
      <Time at={row.first_at} reader={reader} />
      <td className={classes.cell}>
        <span className={classes.refused}>
          <StopIcon size={16} />
          {words.refused(what)}
        </span>
        <span className={classes.details}>
          {detailsOf(row)}{' '}
          <Link
            to="/admin/decisions/$decision"
            params={{ decision: row.id }}
            aria-label={words.decisionOf(what, row.account_name)}
          >
            {words.decision}
          </Link>
        </span>
      </td>
      <td className={classes.cell}>
        {row.user_id === null ? (
          row.account_name
        ) : (
          <Link to="/admin/users/$userId" params={{ userId: row.user_id }}>
            {row.account_name}
          </Link>
        )}
        <span className={classes.details}>
          <Link to="/admin/stream" search={{ account: row.account_id }}>
            {words.only(row.account_name)}
          </Link>
        </span>
      </td>
    </tr>
  );
}

function detailsOf(row: Refused): string {
  const words = texts.live;
  const unit = knownUnit(row.meter);
  const isCounted = row.meter !== null && row.used !== null && row.limit !== null;
  return [
    ...(isCounted ? [words.usedOf(formatUsed(row.used, row.limit, unit), formatAmount(row.limit, unit))] : []),
    ...(isCounted && row.requested !== null ? [words.asked(formatAmount(row.requested, unit))] : []),
    ...(row.count > 1 ? [words.times(formatCount(row.count))] : []),
    `${row.method} ${row.path}`,
    words.request(row.request_id),
  ].join(' · ');
}

function ActRow({ act, reader }: { readonly act: Act; readonly reader: Reader }) {
  const words = texts.audit;
  return (
    <tr>
      <Time at={act.at} reader={reader} />
      <td className={classes.cell}>
        <Link to="/admin/audit" search={{ action: act.action }}>
          <code>{act.action}</code>
        </Link>
        {act.target_id !== null && (
          <span className={classes.details}>
            {act.target_kind}{' '}
            {act.target_kind === 'user' ? (
              <Link to="/admin/users/$userId" params={{ userId: act.target_id }}>
                {act.target_id}
              </Link>
            ) : (
              act.target_id
            )}
          </span>
        )}
        {act.reason !== null && <q className={classes.details}>{act.reason}</q>}
      </td>
      <td className={classes.cell}>
        {act.actor_id === null ? (
          words.actors[act.actor_kind]
        ) : (
          <>
            {act.real_actor_id !== null && (
              <>
                <Who id={act.real_actor_id} email={act.real_actor_email} /> {words.actedAs}{' '}
              </>
            )}
            <Who id={act.actor_id} email={act.actor_email} />
          </>
        )}
      </td>
    </tr>
  );
}

function Who({ id, email }: { readonly id: string; readonly email: string | null }) {
  return (
    <Link to="/admin/users/$userId" params={{ userId: id }}>
      {email ?? id}
    </Link>
  );
}
