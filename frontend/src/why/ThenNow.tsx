import type { Explained } from '../api/types';
import { texts } from '../texts';
import { formatClock } from '../texts/format';
import { Caption } from '../ui/Caption';
import type { Reader } from '../usage/meterText';
import type { UnitOf } from '../usage/units';
import { compared } from './thenNow';
import classes from './Why.module.css';

interface ThenNowProps {
  readonly decision: Explained;
  readonly unitOf: UnitOf;
  readonly reader: Reader;
}

/** The numbers as of then beside those of now. */
export function ThenNow({ decision, unitOf, reader }: ThenNowProps) {
  const words = texts.why;
  const clock = (iso: string) => formatClock(iso, reader.zone, reader.now);
  return (
    <table className={`${classes.table} ${classes.compared}`}>
      <Caption>{words.thenNowTable}</Caption>
      <thead>
        <tr>
          <th scope="col">{words.value}</th>
          <th scope="col">{words.then(clock(decision.first_at))}</th>
          <th scope="col">{words.now(clock(decision.now.as_of))}</th>
        </tr>
      </thead>
      <tbody>
        {compared(decision, unitOf, reader).map(({ name, then, now }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{then}</td>
            <td className={then === now ? undefined : classes.changed}>{now}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
