import { createRoute, redirect } from '@tanstack/react-router';
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
import { PricingPage } from '../plans/PricingPage';
import { PricingFrame, PublicFrame } from './Frame';
import { rootRoute } from './rootRoute';

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

/** What is there for whoever comes by: the ways in, and the prices. */
export const publicTrees = [
  startRoute,
  publicRoute.addChildren([loginRoute, signupRoute, verifyRoute, mfaRoute, forgotRoute, resetRoute, portalRoute]),
  pricingRoute,
] as const;
