import { texts } from '../texts';
import { formatAmount } from './amount';
import classes from './History.module.css';
import { keyName, sumOf, type KeySum } from './seriesRows';
import { TableBox } from './TableBox';

interface KeyTableProps {
  readonly caption: string;
  readonly sums: readonly KeySum[];
  readonly unit: string;
  readonly isGauge: boolean;
}

/** What each key counted, and what was counted without one. */
export function KeyTable({ caption, sums, unit, isGauge }: KeyTableProps) {
  const words = texts.history;
  return (
    <TableBox caption={caption}>
      <thead>
        <tr>
          <th scope="col">{words.key}</th>
          <th scope="col">{isGauge ? words.change : words.used}</th>
        </tr>
      </thead>
      <tbody>
        {sums.map(({ id, amount }) => (
          <tr key={id}>
            <th scope="row">{id === null ? keyName(id) : <code title={id}>{keyName(id)}</code>}</th>
            <td>{formatAmount(amount, unit)}</td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr className={classes.total}>
          <th scope="row">{words.total}</th>
          <td>{formatAmount(sumOf(sums), unit)}</td>
        </tr>
      </tfoot>
    </TableBox>
  );
}
