import type { Me } from '../api/types';

/** Whether a portal link brought the reader here: they have the rooms of one account, and nothing of their own. */
export function isGuest(me: Me): boolean {
  return me.kind === 'portal';
}

/** Whether there is a user of ours behind the sign-in, with a password, sessions and settings of their own. */
export function hasOwnSettings(me: Me): boolean {
  return me.kind === 'user';
}

/** Roles of a member that let them spend for the account; without a role nothing is restricted. */
const SPENDERS: readonly (string | null)[] = ['owner', 'admin', 'developer', null];

export function maySpend(me: Me): boolean {
  return SPENDERS.includes(me.account.role);
}

/** Who is signed in, in the words there are: only a user of ours has an address. */
export function whoText(me: Me): string {
  return me.email ?? (isGuest(me) ? me.account.name : (me.subject ?? me.account.name));
}
