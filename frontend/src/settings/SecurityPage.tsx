import { useReader } from '../overview/useReader';
import { texts } from '../texts';
import { PageHeading } from '../ui/PageHeading';
import { Panel } from '../ui/Panel';
import { OfUser } from './OfUser';
import { PasswordPanel } from './PasswordPanel';
import { SecondFactorPanel } from './SecondFactorPanel';
import { SessionsPanel } from './SessionsPanel';
import { SettingsNav } from './SettingsNav';

/** What keeps others out: password, second factor, sessions. */
export function SecurityPage() {
  const reader = useReader();
  return (
    <>
      <PageHeading>{texts.security.heading}</PageHeading>
      <SettingsNav />
      <OfUser>
        {(me) => (
          <>
            <Panel heading={texts.security.password}>
              <PasswordPanel me={me} />
            </Panel>
            <Panel heading={texts.secondFactor.heading}>
              <SecondFactorPanel me={me} />
            </Panel>
            <Panel heading={texts.sessions.heading}>
              <SessionsPanel reader={reader} />
            </Panel>
          </>
        )}
      </OfUser>
    </>
  );
}
