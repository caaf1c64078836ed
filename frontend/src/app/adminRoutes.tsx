import { createRoute } from '@tanstack/react-router';
import { OverviewPage } from '../admin/overview/OverviewPage';
import { AdminFrame } from './AdminFrame';
import { rootRoute, signedInOnly } from './rootRoute';

const adminRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/admin',
  beforeLoad: signedInOnly,
  component: AdminFrame,
});

const overviewRoute = createRoute({ getParentRoute: () => adminRoute, path: '/', component: OverviewPage });

/** The operators' rooms. Each has its line in AdminNav, too. */
export const adminTree = adminRoute.addChildren([overviewRoute]);
