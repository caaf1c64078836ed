import { Link } from '@tanstack/react-router';
import { texts } from '../texts';
import { formatClock, formatCount, zoneName } from '../texts/format';
import { Caption } from '../ui/Caption';
import { StopIcon } from '../ui/icons';
import type { Reader } from '../usage/meterText';
import type { UnitOf } from '../usage/units';
import classes from './Live.module.css';
import { MOST_ROWS, type LiveRow } from './rows';
import { rowText } from './rowText';

interface LiveRowsProps {
  readonly rows: readonly LiveRow[];
  readonly unitOf: UnitOf;
  readonly reader: Reader;
  /** Whether it is known that nothing has happened, where there is nothing. */
  readonly isEmpty: boolean;
}

/** The lines of the live view; without any, what to do to see one. */
export function LiveRows({ rows, unitOf, reader, isEmpty }: LiveRowsProps) {
  const words = texts.live;
  if (rows.length === 0) {
    if (!isEmpty) return null;
    const url = import.meta.env.VITE_API_BASE_URL || window.location.origin;
    return (
      <div className={classes.empty}>
        <p>{words.empty}</p>
        <code className={classes.command}>{words.command(url)}</code>
      </div>
    );
  }
  return (
    <>
      <p className={classes.quiet}>{words.order(zoneName(reader.zone))}</p>
      <table className={classes.table}>
        <Caption>{words.table}</Caption>
        <thead>
          <tr>
            <th scope="col">{words.time}</th>
            <th scope="col">{words.what}</th>
            <th scope="col">{words.amount}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Line key={row.id} row={row} unitOf={unitOf} reader={reader} />
          ))}
        </tbody>
      </table>
      {rows.length === MOST_ROWS && <p className={classes.quiet}>{words.more(formatCount(MOST_ROWS))}</p>}
    </>
  );
}

function Line({ row, unitOf, reader }: { readonly row: LiveRow; readonly unitOf: UnitOf; readonly reader: Reader }) {
  const { what, details, amount } = rowText(row, unitOf, reader.zone);
  const at = row.kind === 'usage' ? row.occurred_at : row.first_at;
  const time = formatClock(at, reader.zone, reader.now);
  return (
    <tr>
      <td>
        <time dateTime={at}>{time}</time>
      </td>
      <td>
        <span className={row.kind === 'denial' ? classes.denied : classes.what}>
          {row.kind === 'denial' && <StopIcon size={16} />}
          {what}
        </span>
        <span className={classes.details}>{details}</span>
        {row.kind === 'denial' && (
          <Link
            to="/app/requests/$decision"
            params={{ decision: row.id }}
            className={classes.why}
            aria-label={texts.live.whyOf(what, time)}
          >
            {texts.live.why}
          </Link>
        )}
      </td>
      <td>{amount}</td>
    </tr>
  );
}
