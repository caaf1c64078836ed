import { Button, Popover } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, session } from '../api/client';
import { answerOf, ApiError } from '../api/problem';
import { meQuery } from '../api/queries';
import { texts } from '../texts';
import { PersonIcon } from '../ui/icons';
import { AccountSwitch } from './AccountSwitch';
import classes from './Frame.module.css';
import { isGuest, whoText } from './who';

/** Ends the session on the server first: until that is answered its cookie would still sign in again. */
async function signOut(): Promise<void> {
  try {
    await answerOf(api.POST('/v1/auth/logout'));
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) throw error;
  }
  session.signOut();
}

export function AccountMenu() {
  const me = useQuery(meQuery);
  // A switch drops what was loaded; the list it was made in stays until the new answer is there.
  const [last, setLast] = useState(me.data);
  if (me.data !== undefined && me.data !== last) setLast(me.data);
  const leaving = useMutation({ mutationFn: signOut });
  const who = last && whoText(last);
  const several = last !== undefined && last.accounts.length > 1;
  const acting = several ? (me.data?.account.name ?? '') : who;
  return (
    <Popover position="bottom-end" width={264} shadow="md" withinPortal={false}>
      <Popover.Target>
        <Button
          variant="default"
          px={10}
          aria-label={several ? texts.account.menuFor(who ?? '', acting ?? '') : texts.account.menu(who ?? '')}
          leftSection={<PersonIcon />}
          classNames={{ section: classes.person }}
        >
          {acting !== undefined && <span className={`${classes.email} ${classes.wide}`}>{acting}</span>}
        </Button>
      </Popover.Target>
      <Popover.Dropdown className={classes.account} aria-label={texts.account.heading}>
        <p className={classes.quiet}>{last && isGuest(last) ? texts.account.guestOf : texts.account.signedInAs}</p>
        <p className={classes.whole}>{who}</p>
        {several && (
          <AccountSwitch
            accounts={last.accounts}
            state={me.data !== undefined ? 'known' : me.isError ? 'failed' : 'asking'}
          />
        )}
        <Button variant="default" fullWidth loading={leaving.isPending} onClick={() => leaving.mutate()}>
          {texts.account.signOut}
        </Button>
        {leaving.isError && (
          <p role="alert" className={classes.failed}>
            {texts.account.signOutFailed}
          </p>
        )}
      </Popover.Dropdown>
    </Popover>
  );
}
