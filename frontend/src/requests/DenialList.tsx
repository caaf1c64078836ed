import { Link } from '@tanstack/react-router';
import type { Denial } from '../api/types';
import live from '../live/Live.module.css';
import { refusalHeading } from '../overview/refusalText';
import { texts } from '../texts';
import { formatClock, formatCount, zoneName } from '../texts/format';
import { Caption } from '../ui/Caption';
import { StopIcon } from '../ui/icons';
import { formatAmount, formatUsed } from '../usage/amount';
import type { Reader } from '../usage/meterText';
import type { UnitOf } from '../usage/units';
import classes from './Requests.module.css';

interface DenialListProps {
  readonly items: readonly Denial[];
  readonly unitOf: UnitOf;
  readonly reader: Reader;
}

/** Refusals line by line, each with the way to its page. */
export function DenialList({ items, unitOf, reader }: DenialListProps) {
  const words = texts.requests;
  return (
    <>
      <table className={live.table}>
        <Caption>{words.table}</Caption>
        <thead>
          <tr>
            <th scope="col">{words.time}</th>
            <th scope="col">{words.what}</th>
            <th scope="col">{words.count}</th>
          </tr>
        </thead>
        <tbody>
          {items.map((denial) => (
            <tr key={denial.id}>
              <td>
                <time dateTime={denial.first_at}>{formatClock(denial.first_at, reader.zone, reader.now)}</time>
              </td>
              <td>
                <Link to="/app/requests/$decision" params={{ decision: denial.id }} className={classes.open}>
                  <StopIcon size={16} />
                  {refusalHeading(denial.code, denial.meter)}
                </Link>
                <span className={live.details}>{detailsOf(denial, unitOf(denial.meter))}</span>
              </td>
              <td>{denial.count === 1 ? words.once : words.times(formatCount(denial.count))}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className={live.quiet}>{words.zone(zoneName(reader.zone))}</p>
    </>
  );
}

/** The numbers, and which request it was. */
function detailsOf({ meter, used, limit, requested, method, path, request_ids: ids }: Denial, unit: string): string {
  const words = texts.requests;
  const isCounted = meter !== null && used !== null && limit !== null;
  return [
    ...(isCounted ? [words.usedOf(formatUsed(used, limit, unit), formatAmount(limit, unit))] : []),
    ...(isCounted && requested !== null ? [words.asked(formatAmount(requested, unit))] : []),
    `${method} ${path}`,
    ...ids.slice(0, 1),
  ].join(' · ');
}
