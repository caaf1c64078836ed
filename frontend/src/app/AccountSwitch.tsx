import { Radio } from '@mantine/core';
import { useSyncExternalStore } from 'react';
import { acting } from '../api/acting';
import type { OwnAccount } from '../api/types';
import { texts } from '../texts';
import classes from './AccountSwitch.module.css';

interface AccountSwitchProps {
  /** Those that the user may act for, the acting one first. */
  readonly accounts: readonly OwnAccount[];
  /** Whether the acting account is known, still asked for, or could not be asked for. */
  readonly state: 'known' | 'asking' | 'failed';
}

/** Says for which account the user acts, and lets them choose another. The order stays when the choice changes. */
export function AccountSwitch({ accounts, state }: AccountSwitchProps) {
  const chosen = useSyncExternalStore(acting.subscribe, () => acting.account);
  const current = accounts.find((account) => account.id === chosen) ?? accounts[0];
  const listed = accounts.toSorted((one, other) => one.name.localeCompare(other.name, texts.locale));
  return (
    <>
      <Radio.Group
        label={texts.account.actingFor}
        labelProps={{ mb: 4 }}
        value={current?.id ?? ''}
        onChange={(account) => acting.choose(account)}
      >
        <div className={classes.list}>
          {listed.map((account) => (
            <Radio
              key={account.id}
              value={account.id}
              label={account.name}
              description={texts.account.role[account.role]}
              size="md"
              classNames={{ label: classes.name, description: classes.role }}
            />
          ))}
        </div>
      </Radio.Group>
      <p role={state === 'failed' ? 'alert' : 'status'} className={state === 'failed' ? classes.failed : classes.state}>
        {state === 'known' ? '' : state === 'asking' ? texts.account.switching : texts.account.switchFailed}
      </p>
    </>
  );
}
