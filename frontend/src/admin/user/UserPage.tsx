import { Anchor } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { userQuery } from '../../api/adminQueries';
import { ApiError } from '../../api/problem';
import type { UserWhole } from '../../api/types';
import { useReader } from '../../overview/useReader';
import { texts } from '../../texts';
import { ErrorNotice } from '../../ui/ErrorNotice';
import { PageHeading } from '../../ui/PageHeading';
import { Placeholder } from '../../ui/Placeholder';
import type { Reader } from '../../usage/meterText';
import { StatusMark } from '../users/StatusMark';
import { AuditTab } from './AuditTab';
import { KeysTab } from './KeysTab';
import { NotesTab } from './NotesTab';
import { OverridesTab } from './overrides/OverridesTab';
import { OverviewTab } from './OverviewTab';
import { RequestsTab } from './RequestsTab';
import { SessionsTab } from './SessionsTab';
import type { Tab } from './tabs';
import classes from './User.module.css';
import { UserTabs } from './UserTabs';

interface UserPageProps {
  readonly userId: string;
  readonly tab: Tab;
  /** Of the list that the tab shows. */
  readonly page: number;
}

/** One user: who they are, what they have, and what may be done about it. */
export function UserPage({ userId, tab, page }: UserPageProps) {
  const reader = useReader();
  const user = useQuery(userQuery(userId));
  const words = texts.adminUser;
  if (user.data === undefined) {
    const isUnknown = user.error instanceof ApiError && [404, 422].includes(user.error.status);
    return (
      <>
        <AllUsers />
        <PageHeading>{isUnknown ? words.unknown : words.heading}</PageHeading>
        {user.isPending && <Placeholder width="100%" height={480} line={504} />}
        {isUnknown && <p>{words.unknownDetail(userId)}</p>}
        {user.isError && !isUnknown && (
          <ErrorNotice error={user.error} title={words.failed} onRetry={() => void user.refetch()} />
        )}
      </>
    );
  }
  return (
    <>
      <AllUsers />
      <div className={classes.title}>
        <PageHeading>{user.data.email}</PageHeading>
        <p className={classes.quiet}>
          {user.data.name !== null && <>{user.data.name} · </>}
          <StatusMark status={user.data.status} /> · {user.data.plan}
        </p>
      </div>
      {user.isError && <ErrorNotice tone="near" error={user.error} title={words.stale} />}
      <UserTabs userId={userId} />
      <TabBody tab={tab} page={page} user={user.data} reader={reader} />
    </>
  );
}

interface TabBodyProps {
  readonly tab: Tab;
  readonly page: number;
  readonly user: UserWhole;
  readonly reader: Reader;
}

function TabBody({ tab, page, user, reader }: TabBodyProps) {
  switch (tab) {
    case 'overview':
      return <OverviewTab user={user} reader={reader} />;
    case 'sessions':
      return <SessionsTab user={user} reader={reader} />;
    case 'keys':
      return <KeysTab user={user} reader={reader} />;
    case 'requests':
      return <RequestsTab user={user} reader={reader} />;
    case 'overrides':
      return <OverridesTab user={user} page={page} reader={reader} />;
    case 'notes':
      return <NotesTab user={user} page={page} reader={reader} />;
    case 'audit':
      return <AuditTab user={user} page={page} reader={reader} />;
  }
}

function AllUsers() {
  return (
    <p>
      <Anchor component={Link} to="/admin/users" size="sm">
        {texts.adminUser.all}
      </Anchor>
    </p>
  );
}
