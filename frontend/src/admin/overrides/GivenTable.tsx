import type { GivenToAccount } from '../../api/types';
import { texts } from '../../texts';
import { formatMoment } from '../../texts/format';
import type { Reader } from '../../usage/meterText';
import { DataTable } from '../DataTable';
import { AccountLink } from '../decisions/AccountLink';
import { changeText } from '../user/overrides/overrideText';
import { useOperator } from '../useOperator';
import classes from './Given.module.css';
import { Giver } from './Giver';
import { TakeBack } from './TakeBack';

interface GivenTableProps {
  readonly items: readonly GivenToAccount[];
  readonly reader: Reader;
  readonly isBusy: boolean;
  /** Is told what was done. */
  readonly onDone: (said: string) => void;
}

/** Limits line by line: whose, what, how long, why, by whom; what is not over can be taken back. */
export function GivenTable({ items, reader, isBusy, onDone }: GivenTableProps) {
  const { may } = useOperator();
  const words = texts.adminGiven;
  const mayWrite = may('overrides.write');
  return (
    <DataTable caption={words.table} isBusy={isBusy} stacks>
      <thead>
        <tr>
          <th scope="col">{texts.adminDecisions.account}</th>
          <th scope="col">{words.what}</th>
          <th scope="col">{words.state}</th>
          <th scope="col">{words.times}</th>
          <th scope="col">{words.reason}</th>
          <th scope="col">{words.by}</th>
          {mayWrite && <th scope="col">{words.act}</th>}
        </tr>
      </thead>
      <tbody>
        {items.map((one) => (
          <tr key={one.id}>
            <th scope="row" className={classes.cell}>
              <AccountLink account={one.account} />
            </th>
            <td className={classes.cell} data-label={words.what}>
              {changeText(one, [])}
            </td>
            <td className={classes.fixed} data-label={words.state}>
              {texts.adminUser.overrides.states[one.state]}
            </td>
            <td className={classes.cell} data-label={words.times}>
              {timesText(one, reader)}
            </td>
            <td className={classes.cell} data-label={words.reason}>
              {one.reason}
            </td>
            <td className={classes.cell} data-label={words.by}>
              <Giver given={one} />
            </td>
            {mayWrite && (
              <td className={classes.act}>
                {(one.state === 'in_force' || one.state === 'scheduled') && <TakeBack given={one} onDone={onDone} />}
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </DataTable>
  );
}

function timesText(given: GivenToAccount, { zone, now }: Reader): string {
  const words = texts.adminUser.overrides;
  const at = (iso: string) => formatMoment(iso, zone, now);
  return [
    words.from(at(given.starts_at)),
    given.ends_at === null ? words.open : words.until(at(given.ends_at)),
    ...(given.state === 'taken_back' && given.ended_at !== null ? [words.takenBack(at(given.ended_at))] : []),
  ].join(' · ');
}
