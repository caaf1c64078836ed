import { adminBulkTexts } from './en.admin.bulk';
import { adminUserTexts } from './en.admin.users';

/** The English texts of the operators' frame and overview, with those of users. Part of the one catalogue in en.ts. */
export const adminTexts = {
  ...adminUserTexts,

  ...adminBulkTexts,

  admin: {
    name: 'Back office',
    toBackOffice: 'Back office',
    toAccount: 'My account',
    rooms: {
      label: 'Rooms of the back office',
      overview: 'Overview',
      users: 'Users',
      decisions: 'Decisions',
      overrides: 'Overrides',
      audit: 'Audit',
      live: 'Live',
      health: 'Health',
    },
    pages: {
      previous: 'Previous page',
      next: 'Next page',
      page: (page: string) => `Page ${page}`,
      of: (page: string, all: string) => `Page ${page} of ${all}`,
    },
    refused: {
      failed: 'The back office could not be opened',
      noOperator: 'This is for operators of the platform',
      noOperatorDetail:
        'You are signed in, and have no operator role. Ask whoever runs this service if you need one; a superadmin gives it.',
      toAccount: 'Go to my account',
      secondFactor: 'Turn two-factor sign-in on first',
      secondFactorDetail: 'Operators sign in with two factors. Set the second one up, then come back.',
      toSecurity: 'Open Settings, Security',
    },
    overview: {
      heading: 'Platform overview',
      failed: 'The figures could not be loaded',
      asOf: (time: string) => `As of ${time}`,
      users: 'Users',
      revenue: 'Monthly recurring revenue',
      revenueNote: 'What live subscriptions bring in a month by their prices. Plans that an operator assigned bring nothing.',
      noRevenue: 'No live subscription has a price.',
      currency: 'Currency',
      amount: 'A month',
      plans: 'Subscriptions by plan',
      noPlans: 'Nobody has a subscription yet: all are on the default plan.',
      plan: 'Plan',
      subscriptions: 'Live subscriptions',
      total: 'Total',
      usage: 'Usage',
      figure: 'Figure',
      count: 'Number',
      rows: {
        total: 'All users',
        active: 'Active',
        unverified: 'Unverified',
        suspended: 'Locked',
        secondFactor: 'With two factors',
        superadmins: 'Superadmins',
        sessions: 'Live sessions',
        calls: 'API calls',
        jobs: 'Jobs',
        storage: 'Storage, in MB',
      },
      share: 'Share',
      refusals: 'Newest refusals, by code',
      refusalsNote: (count: string) => `Of the newest ${count} lines of the log of refusals.`,
      noRefusals: 'Nothing was refused in the time that is kept.',
      code: 'Code',
      times: 'Requests',
      newest: 'Last',
    },
  },
};
