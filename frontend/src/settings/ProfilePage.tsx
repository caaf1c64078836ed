import { Button, CopyButton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { meQuery } from '../api/queries';
import type { Me } from '../api/types';
import { hasOwnSettings } from '../app/who';
import { texts } from '../texts';
import { PageHeading } from '../ui/PageHeading';
import { Panel } from '../ui/Panel';
import { OfUser } from './OfUser';
import { ProfileForm } from './ProfileForm';
import classes from './Settings.module.css';
import { SettingsNav } from './SettingsNav';

/** Who the reader is, and the account for which they act. */
export function ProfilePage() {
  const me = useQuery(meQuery).data;
  return (
    <>
      <PageHeading>{texts.profile.heading}</PageHeading>
      <SettingsNav />
      {me !== undefined && !hasOwnSettings(me) ? (
        <OfUser>{() => null}</OfUser>
      ) : (
        <Panel heading={texts.profile.you}>
          <OfUser>
            {(user) => (
              <>
                <UserFacts me={user} />
                <ProfileForm me={user} />
              </>
            )}
          </OfUser>
        </Panel>
      )}
      {me !== undefined && (
        <Panel heading={texts.profile.account}>
          <AccountFacts account={me.account} />
        </Panel>
      )}
    </>
  );
}

/** What names the user, and is not changed here. */
function UserFacts({ me }: { readonly me: Me }) {
  return (
    <dl className={classes.facts}>
      <dt>{texts.profile.email}</dt>
      <dd>{me.email}</dd>
      {me.id !== null && (
        <>
          <dt>{texts.profile.id}</dt>
          <dd className={classes.row}>
            <span className={classes.id}>{me.id}</span>
            <CopyButton value={me.id}>
              {({ copied, copy }) => (
                <Button variant="default" size="compact-sm" onClick={copy} aria-label={texts.profile.copyId}>
                  <span aria-live="polite">{copied ? texts.actions.copied : texts.actions.copy}</span>
                </Button>
              )}
            </CopyButton>
          </dd>
        </>
      )}
    </dl>
  );
}

function AccountFacts({ account }: { readonly account: Me['account'] }) {
  const words = texts.profile;
  return (
    <dl className={classes.facts}>
      <dt>{words.accountName}</dt>
      <dd>{account.name}</dd>
      <dt>{words.kindLabel}</dt>
      <dd>{words.kind[account.kind]}</dd>
      {account.role !== null && (
        <>
          <dt>{words.role}</dt>
          <dd>{texts.account.role[account.role]}</dd>
        </>
      )}
      <dt>{words.billingZone}</dt>
      <dd>{account.time_zone.replaceAll('_', ' ')}</dd>
    </dl>
  );
}
