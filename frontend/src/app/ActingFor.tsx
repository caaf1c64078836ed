import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState, useSyncExternalStore } from 'react';
import { acting } from '../api/acting';
import { meQuery } from '../api/queries';
import { texts } from '../texts';
import { Notice } from '../ui/Notice';
import classes from './Frame.module.css';

/** On a narrow screen, for which account the reader acts; wider ones have it in the button of the account. */
export function ActingFor() {
  const me = useQuery(meQuery).data;
  if (me === undefined || me.accounts.length < 2) return null;
  return <p className={classes.narrowOnly}>{texts.account.actsFor(me.account.name)}</p>;
}

/** Says that the user was taken out of the account they acted for, and for which one they act now. */
export function AccountLost() {
  const me = useQuery(meQuery).data;
  const lost = useSyncExternalStore(acting.subscribe, () => acting.lost);
  // What was loaded is dropped at the change; the names of before are needed to tell of it.
  const [seen, setSeen] = useState<typeof me>();
  const [names, setNames] = useState<Readonly<Record<string, string>>>({});
  if (me !== undefined && me !== seen) {
    setSeen(me);
    setNames({ ...names, ...Object.fromEntries(me.accounts.map(({ id, name }) => [id, name])) });
  }
  if (lost === null) return null;
  const name = names[lost];
  return (
    <Notice
      tone="near"
      title={name === undefined ? texts.account.lostUnknown : texts.account.lost(name)}
      foot={
        <Button variant="default" size="compact-md" onClick={() => acting.forget()}>
          {texts.actions.close}
        </Button>
      }
    >
      {me !== undefined && <p>{texts.account.actsNow(me.account.name)}</p>}
    </Notice>
  );
}
