import type { Me } from '../api/types';

export const ADA = '0199f0aa-0000-7000-8000-000000000001';
export const ACME = '0199f0aa-0000-7000-8000-00000000000a';

const own = { id: ADA, kind: 'personal', name: 'Ada', role: 'owner' } as const;
const acme = { id: ACME, kind: 'team', name: 'Acme', role: 'developer' } as const;

/** A user of ours with one account. */
export function me(changes: Partial<Me> = {}): Me {
  return {
    kind: 'user',
    id: '0199f0aa-0000-7000-8000-0000000000aa',
    subject: null,
    email: 'ada@example.com',
    status: 'active',
    roles: [],
    mfa_enabled: false,
    has_password: true,
    recovery_codes_left: null,
    name: null,
    display_zone: null,
    language: null,
    theme: null,
    account: { ...own, external_id: null, time_zone: 'Europe/Berlin' },
    accounts: [own],
    subscription: null,
    plan: { name: 'free', display_name: 'Free' },
    impersonation: null,
    ...changes,
  };
}

/** The same user, a member of Acme, too; acting for one of both. */
export function member(account: typeof ADA | typeof ACME): Me {
  const [acting, other] = account === ACME ? [acme, own] : [own, acme];
  return me({ account: { ...acting, external_id: null, time_zone: 'Europe/Berlin' }, accounts: [acting, other] });
}
