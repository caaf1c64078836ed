import { Button, Popover } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { api, session } from '../api/client';
import { answerOf, ApiError } from '../api/problem';
import { meQuery } from '../api/queries';
import { texts } from '../texts/en';
import { PersonIcon } from '../ui/icons';
import classes from './Frame.module.css';

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
  const email = useQuery(meQuery).data?.email;
  const leaving = useMutation({ mutationFn: signOut });
  return (
    <Popover position="bottom-end" width={264} shadow="md" withinPortal={false}>
      <Popover.Target>
        <Button
          variant="default"
          px={10}
          aria-label={texts.account.menu(email ?? '')}
          leftSection={<PersonIcon />}
          classNames={{ section: classes.person }}
        >
          {email !== undefined && <span className={`${classes.email} ${classes.wide}`}>{email}</span>}
        </Button>
      </Popover.Target>
      <Popover.Dropdown className={classes.account} aria-label={texts.account.heading}>
        <p className={classes.quiet}>{texts.account.signedInAs}</p>
        <p className={classes.whole}>{email}</p>
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
