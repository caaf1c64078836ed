import { Button, Popover, VisuallyHidden } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useLocation } from '@tanstack/react-router';
import { useState } from 'react';
import { acting } from '../api/acting';
import { signOut } from '../api/client';
import { meQuery } from '../api/queries';
import { texts } from '../texts';
import { PersonIcon } from '../ui/icons';
import { AccountSwitch } from './AccountSwitch';
import classes from './Frame.module.css';
import { isGuest, whoText } from './who';

const isOfBackOffice = (path: string) => path === '/admin' || path.startsWith('/admin/');

export function AccountMenu() {
  const me = useQuery(meQuery);
  // A switch drops what was loaded; the list it was made in stays until the new answer is there.
  const [last, setLast] = useState(me.data);
  if (me.data !== undefined && me.data !== last) setLast(me.data);
  const [opened, setOpened] = useState(false);
  const [switched, setSwitched] = useState(false);
  const isInBackOffice = useLocation({ select: ({ pathname }) => isOfBackOffice(pathname) });
  const leaving = useMutation({ mutationFn: signOut });
  const who = last && whoText(last);
  const several = last !== undefined && last.accounts.length > 1;
  const chosen = me.data?.account ?? last?.accounts.find(({ id }) => id === acting.account);
  const shown = several ? (chosen?.name ?? '') : who;

  function close() {
    setOpened(false);
    setSwitched(true);
  }

  return (
    <>
      {/* The menu is gone by then, so its button says for whom the reader acts now. */}
      <VisuallyHidden role="status">
        {switched && several && (me.data ? texts.account.switched(me.data.account.name) : texts.account.switching)}
      </VisuallyHidden>
      <Popover
        position="bottom-end"
        width={264}
        shadow="md"
        withinPortal={false}
        opened={opened}
        onChange={setOpened}
        trapFocus
        returnFocus
      >
        <Popover.Target>
          <Button
            variant="default"
            px={10}
            aria-label={several ? texts.account.menuFor(who ?? '', shown ?? '') : texts.account.menu(who ?? '')}
            leftSection={<PersonIcon />}
            classNames={{ section: classes.person }}
            onClick={() => setOpened(!opened)}
          >
            {shown !== undefined && <span className={`${classes.email} ${classes.wide}`}>{shown}</span>}
          </Button>
        </Popover.Target>
        <Popover.Dropdown className={classes.account} aria-label={texts.account.heading}>
          <p className={classes.quiet}>{last && isGuest(last) ? texts.account.guestOf : texts.account.signedInAs}</p>
          <div className={classes.whole}>
            {last?.name && <p>{last.name}</p>}
            <p className={last?.name ? classes.address : undefined}>{who}</p>
          </div>
          {several && <AccountSwitch accounts={last.accounts} onChosen={close} />}
          {me.isError && (
            <p role="alert" className={classes.failed}>
              {texts.account.switchFailed}
            </p>
          )}
          {last !== undefined && last.roles.length > 0 && (
            <Button
              component={Link}
              to={isInBackOffice ? '/app' : '/admin'}
              variant="default"
              fullWidth
              onClick={() => setOpened(false)}
            >
              {isInBackOffice ? texts.admin.toAccount : texts.admin.toBackOffice}
            </Button>
          )}
          <Button variant="default" fullWidth loading={leaving.isPending} onClick={() => leaving.mutate()}>
            {texts.account.signOut}
          </Button>
        </Popover.Dropdown>
      </Popover>
    </>
  );
}
