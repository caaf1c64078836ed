import { actingAsTexts } from './en.actingAs';
import { adminTexts } from './en.admin';
import { adminDecisionTexts } from './en.admin.decisions';
import { adminWatchTexts } from './en.admin.watch';
import { keyTexts } from './en.keys';
import { liveTexts } from './en.live';
import { roomTexts } from './en.rooms';
import { signInTexts } from './en.signIn';
import { usageTexts } from './en.usage';
import { whyTexts } from './en.why';

/**
 * Every English text of the web app, and the shape of every other catalogue. Sentences take values that are already formatted (texts/format.ts).
 * `locale` decides how numbers, money and dates look.
 */
export const en = {
  language: 'English',
  locale: 'en-GB',
  product: 'Feature Platform',
  skipToContent: 'Skip to content',
  title: (page: string) => `${page} · Feature Platform`,

  actions: {
    retry: 'Try again',
    copy: 'Copy',
    copied: 'Copied',
    close: 'Close',
    goToOverview: 'Go to the overview',
    goToSignIn: 'Go to sign-in',
  },

  scheme: { label: 'Colour scheme', light: 'Light', dark: 'Dark', auto: 'Same as the system' },

  account: {
    heading: 'Account',
    menu: (email: string) => `Account ${email}`,
    menuFor: (who: string, account: string) => `Account ${who}, acting for ${account}`,
    signedInAs: 'Signed in as',
    guestOf: 'Guest of',
    actingFor: 'Act for',
    actsFor: (account: string) => `Acting for ${account}`,
    switched: (account: string) => `You act for ${account} now.`,
    role: { owner: 'Owner', admin: 'Admin', developer: 'Developer', billing: 'Billing', viewer: 'Viewer' },
    switching: 'Loading this account…',
    switchFailed: 'This account could not be loaded. Choose another one, or reload the page.',
    signOut: 'Sign out',
    lost: (account: string) => `You are no longer a member of ${account}`,
    lostUnknown: 'You are no longer a member of the account you acted for',
    actsNow: (account: string) => `You act for ${account} now. Whatever you do from here on is done for it.`,
  },

  errors: {
    requestId: 'Request',
    copyRequestId: 'Copy request id',
    unreachable: 'The server does not answer',
    unreachableDetail: 'Nothing came back from the server. Check that it is running and that you are online, then try again.',
    unexpected: (status: number) => `The server answered ${status} without saying why`,
    unexpectedDetail: 'The answer is not one this app can read. Try again; if it stays so, tell whoever runs this service.',
    tryAgainIn: (duration: string) => `Try again in ${duration}.`,
    panel: 'This part of the page could not be shown',
    panelDetail: 'The rest of the page is not affected.',
    page: 'This page could not be shown',
    session: 'Your sign-in could not be checked',
    sessionDetail: 'It is not known right now whether you are signed in. You have not been signed out.',
  },

  offline: {
    heading: 'You are offline',
    detail:
      'What you see is from before, and nothing you do here reaches the server. Limits still apply to all that calls the API. This page goes on by itself when the connection is back.',
    nothing: 'Nothing was sent. Try again when the connection is back.',
  },

  notFound: {
    heading: 'There is no page at this address',
    detail: (path: string) => `Nothing is shown at ${path}. The address may be mistyped, or the page may have moved.`,
  },

  fields: {
    email: 'E-mail address',
    nearlyFull: (length: string, most: string) => `${length} of ${most} characters.`,
    full: (most: string) => `All ${most} characters are used: what is beyond them is left out.`,
    emailMissing: 'Enter an e-mail address like name@example.com.',
    password: 'Password',
    passwordMissing: 'Enter your password.',
    showPassword: 'Show or hide the password',
    passwordRule: '12 to 128 characters, of any kind.',
    passwordIsAddress: 'This is your own address, which is tried first. Choose another password.',
    passwordTooShort: (length: string, least: string) => `${length} characters so far: at least ${least} are needed.`,
    passwordTooLong: (length: string, most: string) => `${length} characters: at most ${most} are possible.`,
  },

  signup: {
    heading: 'Create an account',
    lead: 'You start on the free plan. No card is needed.',
    submit: 'Create account',
    haveAccount: 'Already have an account?',
    signIn: 'Sign in',
    failed: 'The account was not created',
  },

  checkMail: {
    heading: 'Check your mail',
    detail: (email: string) =>
      `If ${email} can be used for a new account, a message with a link is on its way. Open the link to confirm the address.`,
    neutral: 'If the address is already known here, its owner is told instead, and nothing changes.',
    mailbox: 'Open the development mailbox',
    again: 'Nothing arrived? Send the link again',
  },

  verify: {
    heading: 'Confirm your e-mail address',
    working: 'Confirming your address…',
    done: 'Your address is confirmed. You can sign in now.',
    signIn: 'Sign in',
    failed: 'This link did not confirm an address',
    failedNext: 'A link works once, within a day. If it was opened before, the address may be confirmed already: try to sign in.',
    resendLead: 'Enter your address to get a new link. Only the newest link works.',
    resend: 'Send a new link',
    resent: (email: string) => `If ${email} belongs to an account that is not confirmed yet, a new link is on its way.`,
    resendFailed: 'No new link was sent',
  },

  login: {
    heading: 'Sign in',
    submit: 'Sign in',
    noAccount: 'No account yet?',
    signUp: 'Create an account',
    unconfirmed: 'Address not confirmed yet? Get a new link',
    forgot: 'Forgot your password?',
    pricing: 'Plans and prices',
    left: 'You are signed out in this browser',
    leftUnconfirmed: 'The server has not confirmed it yet; it is told again as soon as it answers.',
    over: 'You were signed out',
    overDetail:
      'This session was ended: in another tab, from another device, or by a new password. Sign in to go on where you were.',
    refused: 'You are not signed in',
    refusedDetail:
      'The address and the password do not belong together, or the address is not confirmed yet. Check both, or get a new confirmation link.',
    link: 'Signing you in…',
    linkFailed: 'This sign-in link does not work',
    linkNext: 'A link works once and for a short time. Sign in with your password, or ask for a new link.',
  },

  ...signInTexts,

  ...roomTexts,

  ...usageTexts,

  ...liveTexts,

  ...keyTexts,

  ...whyTexts,

  ...actingAsTexts,
  ...adminTexts,

  ...adminDecisionTexts,

  ...adminWatchTexts,

  overview: { heading: 'Overview' },

  plan: {
    heading: 'Your plan',
    name: 'Plan',
    price: 'Price',
    period: 'Period',
    free: 'Free',
    nothing: 'Nothing',
    assigned: 'Assigned by whoever runs this service',
    per: { monthly: 'a month', yearly: 'a year' } as Record<string, string>,
    renews: (moment: string) => `Renews ${moment}`,
    startsAnew: (moment: string) => `Usage starts anew ${moment}`,
    noSubscription: 'No subscription is needed for this plan.',
    failed: 'Your plan could not be loaded',
    failedDetail: 'Your plan and its limits still apply.',
    stale: (time: string) => `Your plan as of ${time}; it could not be refreshed.`,
    status: {
      trial: (until: string) => `Trial until ${until}`,
      active: 'Active',
      ending: (until: string) => `Ends ${until}, then the default plan applies`,
      past_due: 'The last payment failed; the plan still applies',
      cancelled: 'Cancelled',
      expired: 'Expired',
      incomplete: 'Waiting for the first payment',
      paused: 'Paused',
    },
  },

  spend: {
    heading: 'Try a limit',
    lead: 'One click uses one job of your plan, as a call of the API would. At the limit it is refused, and the refusal is explained here.',
    action: 'Spend one job',
    spent: 'One job spent.',
    left: (used: string, limit: string, remaining: string) => `${used} of ${limit} used, ${remaining} left.`,
    usedUnlimited: (used: string) => `${used} used, no limit.`,
    mayNot: (role: string, account: string) =>
      `Your role in ${account} is ${role}, which may look and not spend. An owner or admin of ${account} can give you another one.`,
    accountGone: 'Nothing was spent',
    accountGoneDetail: 'It was meant for an account that you no longer belong to.',
    unknown: 'It is not known whether the job was spent',
    unknownDetail: 'No clear answer came back. Trying again is safe: the same request is never counted twice.',
  },

  refusal: {
    heading: {
      quota_exceeded: (meter: string) => `${meter}: the limit is reached`,
      feature_not_in_plan: () => 'Your plan does not include this',
      subscription_inactive: () => 'Your subscription is not active',
      scope_missing: () => 'This sign-in may not do that',
      role_missing: () => 'Your role may not do that',
      account_suspended: () => 'This account is suspended',
      rate_limited: () => 'Too many requests in a short time',
      concurrency_limited: () => 'Too many jobs are running at once',
      other: () => 'This was refused',
    } as Record<string, (meter: string) => string>,
    nothingSpent: 'Nothing was spent.',
    noRoom: (requested: string) => `There is no room for ${requested} more.`,
    heldToo: (held: string) => `${held} are set aside by work that is running.`,
    atOnce: 'As many jobs are running as the plan allows at once.',
    used: 'Used',
    usedOf: (used: string, limit: string) => `${used} of ${limit}`,
    resets: 'Resets',
    retry: 'Possible again',
    retryIn: (duration: string) => `in ${duration}`,
    next: 'What you can do',
    waitUntil: (moment: string) => `Wait until ${moment}.`,
    waitForReset: 'Wait until it resets.',
    waitFor: (duration: string) => `Wait ${duration}, then try again.`,
    askOwner: 'An owner or admin of this account can give you another role.',
    askOperator: 'Tell whoever runs this service, with the request id below.',
    upgrade: 'See the plans',
    why: 'See rule by rule why',
  },

  meters: { api_calls: 'API calls', jobs: 'Jobs', storage: 'Storage', compute: 'Compute' } as Record<string, string>,
};
