import { createRoute, createRouter, redirect, type RouterHistory } from '@tanstack/react-router';
import { session } from '../api/client';
import { challenge } from '../auth/challenge';
import { ForgotPage } from '../auth/ForgotPage';
import { LoginPage } from '../auth/LoginPage';
import { MfaPage } from '../auth/MfaPage';
import { isOwnPath, placeOf } from '../auth/place';
import { PortalPage } from '../auth/PortalPage';
import { ResetPage } from '../auth/ResetPage';
import { SignupPage } from '../auth/SignupPage';
import { VerifyEmailPage } from '../auth/VerifyEmailPage';
import { KeysPage } from '../keys/KeysPage';
import { LimitsPage } from '../limits/LimitsPage';
import { LivePage } from '../live/LivePage';
import { OverviewPage } from '../overview/OverviewPage';
import { PlansPage } from '../plans/PlansPage';
import { PricingPage } from '../plans/PricingPage';
import { PreferencesPage } from '../settings/PreferencesPage';
import { ProfilePage } from '../settings/ProfilePage';
import { SecurityPage } from '../settings/SecurityPage';
import { MeterPage } from '../usage/MeterPage';
import { DEFAULT_PERIOD, usageSearch } from '../usage/period';
import { UsagePage } from '../usage/UsagePage';
import { adminTree } from './adminRoutes';
import { RouteError } from './fallbacks';
import { CustomerFrame, Frame, PricingFrame, PublicFrame } from './Frame';
import { rootRoute, signedInOnly } from './rootRoute';

interface TokenSearch {
  readonly token?: string;
}

/** The one-time token of a link out of a mail. */
function tokenSearch(search: Record<string, unknown>): TokenSearch {
  return typeof search.token === 'string' && search.token !== '' ? { token: search.token } : {};
}

interface LoginSearch extends TokenSearch {
  /** The page that was asked for, to go there after the sign-in. */
  readonly next?: string;
}

function loginSearch(search: Record<string, unknown>): LoginSearch {
  return { ...tokenSearch(search), ...(isOwnPath(search.next) ? { next: search.next } : {}) };
}

/** Whether somebody is signed in, for pages that are of use either way: no answer counts as no. */
async function isSignedIn(): Promise<boolean> {
  return (await session.restore().catch(() => session.status)) === 'signed-in';
}

const startRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/',
  beforeLoad: async () => {
    throw redirect({ to: (await isSignedIn()) ? '/app' : '/login', replace: true });
  },
});

const publicRoute = createRoute({ getParentRoute: () => rootRoute, id: 'public', component: PublicFrame });

const loginRoute = createRoute({
  getParentRoute: () => publicRoute,
  path: '/login',
  validateSearch: loginSearch,
  // A sign-in link is used whoever is signed in: it may be meant for another user.
  beforeLoad: async ({ search }) => {
    if (search.token === undefined && (await isSignedIn())) throw redirect({ ...placeOf(search.next), replace: true });
  },
  component: function Login() {
    const { token, next } = loginRoute.useSearch();
    return <LoginPage token={token} next={next ?? null} />;
  },
});

const signupRoute = createRoute({
  getParentRoute: () => publicRoute,
  path: '/signup',
  beforeLoad: async () => {
    if (await isSignedIn()) throw redirect({ to: '/app', replace: true });
  },
  component: SignupPage,
});

const verifyRoute = createRoute({
  getParentRoute: () => publicRoute,
  path: '/verify-email',
  validateSearch: tokenSearch,
  component: function Verify() {
    return <VerifyEmailPage token={verifyRoute.useSearch().token} />;
  },
});

const mfaRoute = createRoute({
  getParentRoute: () => publicRoute,
  path: '/mfa',
  beforeLoad: () => {
    if (challenge.held === null) throw redirect({ to: '/login', replace: true });
    return { challengeId: challenge.held };
  },
  component: function Mfa() {
    return <MfaPage challengeId={mfaRoute.useRouteContext().challengeId} />;
  },
});

const forgotRoute = createRoute({ getParentRoute: () => publicRoute, path: '/forgot', component: ForgotPage });

const resetRoute = createRoute({
  getParentRoute: () => publicRoute,
  path: '/reset',
  validateSearch: tokenSearch,
  beforeLoad: ({ search }) => {
    if (search.token === undefined) throw redirect({ to: '/forgot', replace: true });
    return { token: search.token };
  },
  component: function Reset() {
    return <ResetPage token={resetRoute.useRouteContext().token} />;
  },
});

const portalRoute = createRoute({
  getParentRoute: () => publicRoute,
  path: '/portal',
  validateSearch: tokenSearch,
  beforeLoad: ({ search }) => {
    if (search.token === undefined) throw redirect({ to: '/', replace: true });
    return { token: search.token };
  },
  component: function Portal() {
    return <PortalPage token={portalRoute.useRouteContext().token} />;
  },
});

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

const pricingRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/pricing',
  // Who is signed in sees their own offers, and the way back to their rooms.
  beforeLoad: async () => {
    await isSignedIn();
  },
  component: function Pricing() {
    return (
      <PricingFrame>
        <PricingPage />
      </PricingFrame>
    );
  },
});

const routeTree = rootRoute.addChildren([
  startRoute,
  publicRoute.addChildren([loginRoute, signupRoute, verifyRoute, mfaRoute, forgotRoute, resetRoute, portalRoute]),
  pricingRoute,
  customerRoute.addChildren([
    overviewRoute,
    usageRoute,
    meterRoute,
    liveRoute,
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
