import type { RefusalWhole } from '../../api/types';
import { texts } from '../../texts';
import { Caption } from '../../ui/Caption';
import type { Reader } from '../../usage/meterText';
import type { UnitOf } from '../../usage/units';
import { compared } from '../../why/thenNow';
import why from '../../why/Why.module.css';

interface SupposedTableProps {
  readonly decision: RefusalWhole;
  /** What the same question would be answered. */
  readonly now: RefusalWhole['now'];
  readonly unitOf: UnitOf;
  readonly reader: Reader;
}

/** What is answered now, beside what would be. */
export function SupposedTable({ decision, now, unitOf, reader }: SupposedTableProps) {
  const words = texts.adminDecisions;
  const present = new Map(compared(decision, unitOf, reader).map((row) => [row.name, row.now]));
  return (
    <table className={`${why.table} ${why.compared}`}>
      <Caption>{words.supposedTable}</Caption>
      <thead>
        <tr>
          <th scope="col">{texts.why.value}</th>
          <th scope="col">{words.asItIs}</th>
          <th scope="col">{words.ifSo}</th>
        </tr>
      </thead>
      <tbody>
        {compared({ ...decision, now }, unitOf, reader).map((row) => (
          <tr key={row.name}>
            <th scope="row">{row.name}</th>
            <td>{present.get(row.name) ?? '–'}</td>
            <td className={present.get(row.name) === row.now ? undefined : why.changed}>{row.now}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
