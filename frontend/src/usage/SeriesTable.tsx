import type { UsageSeries } from '../api/types';
import { texts } from '../texts';
import { formatAmount } from './amount';
import classes from './History.module.css';
import { sumOf, type SeriesRow } from './seriesRows';
import { TableBox } from './TableBox';

interface SeriesTableProps {
  readonly caption: string;
  readonly rows: readonly SeriesRow[];
  readonly unit: string;
  readonly step: UsageSeries['step'];
  readonly isGauge: boolean;
}

/** The numbers of the chart, the newest first. */
export function SeriesTable({ caption, rows, unit, step, isGauge }: SeriesTableProps) {
  const words = texts.history;
  return (
    <TableBox caption={caption}>
      <thead>
        <tr>
          <th scope="col">{words.step[step]}</th>
          {isGauge && <th scope="col">{words.level}</th>}
          <th scope="col">{isGauge ? words.change : words.used}</th>
        </tr>
      </thead>
      <tbody>
        {rows.toReversed().map((row) => (
          <tr key={row.start}>
            <th scope="row">{row.open ? words.soFar(row.name) : row.name}</th>
            {row.level !== null && <td>{formatAmount(row.level, unit)}</td>}
            <td>{formatAmount(row.amount, unit)}</td>
          </tr>
        ))}
      </tbody>
      {!isGauge && (
        <tfoot>
          <tr className={classes.total}>
            <th scope="row">{words.total}</th>
            <td>{formatAmount(sumOf(rows), unit)}</td>
          </tr>
        </tfoot>
      )}
    </TableBox>
  );
}
