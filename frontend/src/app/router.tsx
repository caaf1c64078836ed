import { createRoute, createRouter, redirect, type RouterHistory } from '@tanstack/react-router';
import { KeysPage } from '../keys/KeysPage';
import { LimitsPage } from '../limits/LimitsPage';
import { LivePage } from '../live/LivePage';
import { OverviewPage } from '../overview/OverviewPage';
import { PlansPage } from '../plans/PlansPage';
import { DecisionPage } from '../requests/DecisionPage';
import { RequestsPage } from '../requests/RequestsPage';
import { requestsSearch } from '../requests/search';
import { PreferencesPage } from '../settings/PreferencesPage';
import { ProfilePage } from '../settings/ProfilePage';
import { SecurityPage } from '../settings/SecurityPage';
import { MeterPage } from '../usage/MeterPage';
import { DEFAULT_PERIOD, usageSearch } from '../usage/period';
import { UsagePage } from '../usage/UsagePage';
import { adminTree } from './adminRoutes';
import { RouteError } from './fallbacks';
import { CustomerFrame, Frame } from './Frame';
import { publicTrees } from './publicRoutes';
import { rootRoute, signedInOnly } from './rootRoute';

const customerRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: 'customer',
  beforeLoad: signedInOnly,
  component: CustomerFrame,
});

const overviewRoute = createRoute({ getParentRoute: () => customerRoute, path: '/app', component: OverviewPage });

const usageRoute = createRoute({ getParentRoute: () => customerRoute, path: '/app/usage', component: UsagePage });

const meterRoute = createRoute({
  getParentRoute: () => customerRoute,
  path: '/app/usage/$meter',
  validateSearch: usageSearch,
  component: function Meter() {
    const { meter } = meterRoute.useParams();
    // The router leaves in place what was not taken over from the address, so it is read here once more.
    const { period = DEFAULT_PERIOD, by } = usageSearch({ ...meterRoute.useSearch() });
    return <MeterPage key={meter} name={meter} period={period} byKey={by === 'key'} />;
  },
});

const liveRoute = createRoute({ getParentRoute: () => customerRoute, path: '/app/live', component: LivePage });

const requestsRoute = createRoute({
  getParentRoute: () => customerRoute,
  path: '/app/requests',
  validateSearch: requestsSearch,
  component: function Requests() {
    return <RequestsPage search={requestsSearch({ ...requestsRoute.useSearch() })} />;
  },
});

const decisionRoute = createRoute({
  getParentRoute: () => customerRoute,
  path: '/app/requests/$decision',
  component: function Decision() {
    const { decision } = decisionRoute.useParams();
    return <DecisionPage key={decision} name={decision} />;
  },
});

const plansRoute = createRoute({ getParentRoute: () => customerRoute, path: '/app/plans', component: PlansPage });

const limitsRoute = createRoute({ getParentRoute: () => customerRoute, path: '/app/limits', component: LimitsPage });

const keysRoute = createRoute({ getParentRoute: () => customerRoute, path: '/app/keys', component: KeysPage });

const settingsRoute = createRoute({ getParentRoute: () => customerRoute, path: '/app/settings' });

const settingsStartRoute = createRoute({
  getParentRoute: () => settingsRoute,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/app/settings/profile', replace: true });
  },
});

const profileRoute = createRoute({ getParentRoute: () => settingsRoute, path: '/profile', component: ProfilePage });

const securityRoute = createRoute({ getParentRoute: () => settingsRoute, path: '/security', component: SecurityPage });

const preferencesRoute = createRoute({
  getParentRoute: () => settingsRoute,
  path: '/preferences',
  component: PreferencesPage,
});

const routeTree = rootRoute.addChildren([
  ...publicTrees,
  customerRoute.addChildren([
    overviewRoute,
    usageRoute,
    meterRoute,
    liveRoute,
    requestsRoute,
    decisionRoute,
    plansRoute,
    limitsRoute,
    keysRoute,
    settingsRoute.addChildren([settingsStartRoute, profileRoute, securityRoute, preferencesRoute]),
  ]),
  adminTree,
]);

const options = {
  routeTree,
  // Plain strings: the router's own reading would turn a token of digits into a number and lose some.
  parseSearch: (search: string) => Object.fromEntries(new URLSearchParams(search)),
  stringifySearch: (search: Record<string, unknown>) => {
    const query = new URLSearchParams(search as Record<string, string>).toString();
    return query === '' ? '' : `?${query}`;
  },
  defaultPendingMs: 300,
  defaultPendingComponent: () => <Frame busy />,
  defaultErrorComponent: RouteError,
};

/** The pages of the app; a test gives a history of its own. */
export function routerOn(history?: RouterHistory) {
  return createRouter({ ...options, history });
}

export const router = routerOn();

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
