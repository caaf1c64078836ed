import type { Act, Refused } from '../admin/stream/happenings';
import type { AuditEvent, PlatformHealth } from '../api/types';
import type { ServerSent } from '../live/sse';
import { OPERATOR_ID, USER_ID } from './operators';

export function auditEvent(changes: Partial<AuditEvent> = {}): AuditEvent {
  return {
    id: '019ab000-0000-7000-8000-000000000021',
    at: '2026-11-23T13:03:12Z',
    action: 'user.lock',
    actor_kind: 'user',
    actor_id: OPERATOR_ID,
    real_actor_id: null,
    target_kind: 'user',
    target_id: USER_ID,
    reason: 'abuse',
    before: { status: 'active' },
    after: { status: 'suspended' },
    address: '192.0.2.1',
    request_id: 'req_21',
    seal: 12,
    actor_email: 'root@example.com',
    real_actor_email: null,
    target_email: 'ada@example.com',
    ...changes,
  };
}

export function refused(changes: Partial<Refused> = {}): ServerSent {
  const row = {
    id: '019ab000-0000-7000-8000-000000000031',
    account_id: '0199f0aa-0000-7000-8000-0000000000dd',
    account_name: 'Acme',
    user_id: USER_ID,
    code: 'quota_exceeded',
    meter: 'jobs',
    method: 'POST',
    path: '/v1/usage/consume',
    used: 8,
    limit: 10,
    requested: 3,
    count: 1,
    first_at: '2026-11-23T13:03:13Z',
    request_id: 'req_31',
    ...changes,
  };
  return { kind: 'denial', id: row.id, data: JSON.stringify(row) };
}

export function done(changes: Partial<Act> = {}): ServerSent {
  const row = {
    id: '019ab000-0000-7000-8000-000000000041',
    at: '2026-11-23T13:03:14Z',
    action: 'user.lock',
    actor_kind: 'user',
    actor_id: OPERATOR_ID,
    actor_email: 'root@example.com',
    real_actor_id: null,
    real_actor_email: null,
    target_kind: 'user',
    target_id: USER_ID,
    reason: 'abuse',
    ...changes,
  };
  return { kind: 'act', id: row.id, data: JSON.stringify(row) };
}

type Check = PlatformHealth['checks'][number];

export function check(changes: Partial<Check> = {}): Check {
  return { name: 'database', state: 'ok', found: 'PostgreSQL 18.1 answers in 0.8 ms.', what_to_do: null, numbers: {}, ...changes };
}
