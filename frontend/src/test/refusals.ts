import type { GivenToAccount, NamedAccount, Refusal, RefusalWhole } from '../api/types';
import { denial, explained } from './decisions';
import { OPERATOR_ID, USER_ID } from './operators';

export const ACCOUNT_ID = '0199f0aa-0000-7000-8000-0000000000dd';

export function account(changes: Partial<NamedAccount> = {}): NamedAccount {
  return {
    id: ACCOUNT_ID,
    name: 'grace@example.com',
    external_id: null,
    status: 'active',
    user_id: USER_ID,
    ...changes,
  };
}

/** One refusal in the list of all accounts. */
export function refusal(changes: Partial<Refusal> = {}): Refusal {
  return {
    ...denial(),
    account: account(),
    key: { id: 'k', kind: 'personal', name: 'prod', prefix: 'fk_live_a3f9zz' },
    subject: USER_ID,
    ...changes,
  };
}

/** The same whole: three jobs are missing. */
export function refusalWhole(changes: Partial<RefusalWhole> = {}): RefusalWhole {
  const whole = explained();
  return {
    ...whole,
    account: account(),
    key: { id: 'k', kind: 'personal', name: 'prod', prefix: 'fk_live_a3f9zz', state: 'active' },
    subject: USER_ID,
    ...changes,
    now: { ...whole.now, grant: 3, ...changes.now },
  };
}

export function givenTo(changes: Partial<GivenToAccount> = {}): GivenToAccount {
  return {
    id: '0199f0aa-0000-7000-8000-0000000000ee',
    meter: 'jobs',
    kind: 'add',
    amount: 50,
    starts_at: '2026-11-20T09:00:00Z',
    ends_at: null,
    reason: 'a launch',
    state: 'in_force',
    created_by: OPERATOR_ID,
    created_at: '2026-11-20T09:00:00Z',
    ended_by: null,
    ended_at: null,
    account: account(),
    created_by_email: 'root@example.com',
    ...changes,
  };
}
