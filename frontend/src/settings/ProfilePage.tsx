import type { Me } from '../api/types';
import { texts } from '../texts';
import { PageHeading } from '../ui/PageHeading';
import { Panel } from '../ui/Panel';
import { OfUser } from './OfUser';
import { ProfileForm } from './ProfileForm';
import classes from './Settings.module.css';
import { SettingsNav } from './SettingsNav';

/** Who the reader is, and the account for which they act. */
export function ProfilePage() {
  return (
    <>
      <PageHeading>{texts.profile.heading}</PageHeading>
      <SettingsNav />
      <OfUser>
        {(me) => (
          <>
            <Panel heading={texts.profile.you}>
              <ProfileForm me={me} />
            </Panel>
            <Panel heading={texts.profile.account}>
              <AccountFacts account={me.account} />
            </Panel>
          </>
        )}
      </OfUser>
    </>
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
