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
        {sums.map((sum) => (
          <tr key={sum.id}>
            <th scope="row">
              <KeyLabel {...sum} />
            </th>
            <td>{formatAmount(sum.amount, unit)}</td>
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

/** The name with the beginning of the key; of a key that is not the account's own the last signs of its id. */
function KeyLabel({ id, name, prefix }: KeySum) {
  if (id === null) return keyName(id);
  if (name === null) return <code title={id}>{keyName(id)}</code>;
  return (
    <>
      {name} <code title={id}>{prefix}…</code>
    </>
  );
}
