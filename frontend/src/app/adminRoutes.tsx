import { createRoute } from '@tanstack/react-router';
import { AuditPage } from '../admin/audit/AuditPage';
import { auditSearch } from '../admin/audit/auditSearch';
import { DecisionPage } from '../admin/decisions/DecisionPage';
import { DecisionsPage } from '../admin/decisions/DecisionsPage';
import { decisionsSearch } from '../admin/decisions/decisionsSearch';
import { HealthPage } from '../admin/health/HealthPage';
import { OverviewPage } from '../admin/overview/OverviewPage';
import { GivenPage } from '../admin/overrides/GivenPage';
import { givenSearch } from '../admin/overrides/givenSearch';
import { StreamPage } from '../admin/stream/StreamPage';
import { streamSearch } from '../admin/stream/streamSearch';
import { userSearch } from '../admin/user/tabs';
import { UserPage } from '../admin/user/UserPage';
import { UsersPage } from '../admin/users/UsersPage';
import { usersSearch } from '../admin/users/usersSearch';
import { AdminFrame } from './AdminFrame';
import { rootRoute, signedInOnly } from './rootRoute';

const adminRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/admin',
  beforeLoad: signedInOnly,
  component: AdminFrame,
});

const overviewRoute = createRoute({ getParentRoute: () => adminRoute, path: '/', component: OverviewPage });

const usersRoute = createRoute({
  getParentRoute: () => adminRoute,
  path: '/users',
  validateSearch: usersSearch,
  component: function Users() {
    // The router leaves in place what was not taken over from the address, so it is read here once more.
    return <UsersPage search={usersSearch({ ...usersRoute.useSearch() })} />;
  },
});

const userRoute = createRoute({
  getParentRoute: () => adminRoute,
  path: '/users/$userId',
  validateSearch: userSearch,
  component: function User() {
    const { userId } = userRoute.useParams();
    const { tab = 'overview', page = 1 } = userSearch({ ...userRoute.useSearch() });
    return <UserPage key={userId} userId={userId} tab={tab} page={page} />;
  },
});

const decisionsRoute = createRoute({
  getParentRoute: () => adminRoute,
  path: '/decisions',
  validateSearch: decisionsSearch,
  component: function Decisions() {
    return <DecisionsPage search={decisionsSearch({ ...decisionsRoute.useSearch() })} />;
  },
});

const decisionRoute = createRoute({
  getParentRoute: () => adminRoute,
  path: '/decisions/$decision',
  component: function Decision() {
    const { decision } = decisionRoute.useParams();
    return <DecisionPage key={decision} name={decision} />;
  },
});

const givenRoute = createRoute({
  getParentRoute: () => adminRoute,
  path: '/overrides',
  validateSearch: givenSearch,
  component: function Given() {
    return <GivenPage search={givenSearch({ ...givenRoute.useSearch() })} />;
  },
});

const auditRoute = createRoute({
  getParentRoute: () => adminRoute,
  path: '/audit',
  validateSearch: auditSearch,
  component: function Audit() {
    return <AuditPage search={auditSearch({ ...auditRoute.useSearch() })} />;
  },
});

const streamRoute = createRoute({
  getParentRoute: () => adminRoute,
  path: '/stream',
  validateSearch: streamSearch,
  component: function Stream() {
    return <StreamPage search={streamSearch({ ...streamRoute.useSearch() })} />;
  },
});

const healthRoute = createRoute({ getParentRoute: () => adminRoute, path: '/health', component: HealthPage });

/** The operators' rooms. Each has its line in AdminNav, too. */
export const adminTree = adminRoute.addChildren([
  overviewRoute,
  usersRoute,
  userRoute,
  decisionsRoute,
  decisionRoute,
  givenRoute,
  auditRoute,
  streamRoute,
  healthRoute,
]);
