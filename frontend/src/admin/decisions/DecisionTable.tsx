import { Link } from '@tanstack/react-router';
import type { Refusal } from '../../api/types';
import { refusalHeading } from '../../overview/refusalText';
import { texts } from '../../texts';
import { formatClock, formatCount } from '../../texts/format';
import { formatAmount, formatUsed } from '../../usage/amount';
import type { Reader } from '../../usage/meterText';
import { useUnits, type UnitOf } from '../../usage/units';
import { DataTable } from '../DataTable';
import { AccountLink } from './AccountLink';
import classes from './Decisions.module.css';

interface DecisionTableProps {
  readonly items: readonly Refusal[];
  readonly reader: Reader;
}

/** Refusals line by line: when, what, to whom, by which key; each leads to its page. */
export function DecisionTable({ items, reader }: DecisionTableProps) {
  const unitOf = useUnits();
  const words = texts.adminDecisions;
  return (
    <DataTable caption={words.table}>
      <thead>
        <tr>
          <th scope="col">{texts.requests.time}</th>
          <th scope="col">{texts.requests.what}</th>
          <th scope="col">{words.account}</th>
          <th scope="col">{words.key}</th>
          <th scope="col">{texts.requests.count}</th>
        </tr>
      </thead>
      <tbody>
        {items.map((one) => (
          <tr key={one.id}>
            <td className={classes.fixed}>
              <time dateTime={one.first_at}>{formatClock(one.first_at, reader.zone, reader.now)}</time>
            </td>
            <td className={classes.cell}>
              <Link to="/admin/decisions/$decision" params={{ decision: one.id }}>
                {refusalHeading(one.code, one.meter)}
              </Link>
              <span className={classes.details}>{detailsOf(one, unitOf)}</span>
            </td>
            <td className={classes.cell}>
              <AccountLink account={one.account} />
            </td>
            <td className={classes.cell}>{one.key === null ? null : texts.why.key(one.key.prefix, one.key.name)}</td>
            <td>{one.count === 1 ? texts.requests.once : texts.requests.times(formatCount(one.count))}</td>
          </tr>
        ))}
      </tbody>
    </DataTable>
  );
}

function detailsOf({ meter, used, limit, requested, method, path, request_ids: ids }: Refusal, unitOf: UnitOf): string {
  const words = texts.requests;
  const unit = unitOf(meter);
  const isCounted = meter !== null && used !== null && limit !== null;
  return [
    ...(isCounted ? [words.usedOf(formatUsed(used, limit, unit), formatAmount(limit, unit))] : []),
    ...(isCounted && requested !== null ? [words.asked(formatAmount(requested, unit))] : []),
    `${method} ${path}`,
    ...ids.slice(0, 1),
  ].join(' · ');
}
