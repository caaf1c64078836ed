import { useSyncExternalStore } from 'react';
import { acting } from '../api/acting';
import type { OwnAccount } from '../api/types';
import { texts } from '../texts';
import { DoneIcon } from '../ui/icons';
import classes from './AccountSwitch.module.css';

interface AccountSwitchProps {
  /** Those that the user may act for, the acting one first. */
  readonly accounts: readonly OwnAccount[];
  readonly onChosen: () => void;
}

/** Says for which account the user acts, and lets them choose another. The order stays when the choice changes. */
export function AccountSwitch({ accounts, onChosen }: AccountSwitchProps) {
  const chosen = useSyncExternalStore(acting.subscribe, () => acting.account);
  const current = accounts.find((account) => account.id === chosen) ?? accounts[0];
  const listed = accounts.toSorted((one, other) => one.name.localeCompare(other.name, texts.locale));

  function choose(account: OwnAccount) {
    acting.choose(account.id);
    onChosen();
  }

  return (
    <>
      <p className={classes.label} id="act-for">
        {texts.account.actingFor}
      </p>
      <ul className={classes.list} aria-labelledby="act-for">
        {listed.map((account) => (
          <li key={account.id}>
            <button
              type="button"
              className={classes.choice}
              aria-current={account.id === current?.id}
              title={account.name}
              onClick={() => choose(account)}
            >
              <span>
                <span className={classes.name}>{account.name}</span>
                <span className={classes.role}>{texts.account.role[account.role]}</span>
              </span>
              {account.id === current?.id && <DoneIcon />}
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
