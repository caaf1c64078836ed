import type { DenialRow, UsageRow } from '../live/rows';
import type { ServerSent } from '../live/sse';

export function usageEvent(changes: Partial<UsageRow> = {}): ServerSent {
  const row = {
    id: '019ab000-0000-7000-8000-000000000001',
    meter: 'jobs',
    amount: 3,
    source: 'consume',
    counted: true,
    occurred_at: '2026-11-23T13:03:12Z',
    recorded_at: '2026-11-23T13:03:12Z',
    key_id: null,
    ...changes,
  };
  return { kind: 'usage', id: `${row.id}.${row.amount}`, data: JSON.stringify(row) };
}

export function denialEvent(changes: Partial<DenialRow> = {}): ServerSent {
  const row = {
    id: '019ab000-0000-7000-8000-000000000002',
    code: 'quota_exceeded',
    meter: 'jobs',
    method: 'POST',
    path: '/v1/usage/consume',
    used: 8,
    limit: 10,
    requested: 3,
    count: 1,
    first_at: '2026-11-23T13:03:13Z',
    key_id: '019ab000-0000-7000-8000-0000c0ffee12',
    request_id: 'req_9',
    ...changes,
  };
  return { kind: 'denial', id: row.id, data: JSON.stringify(row) };
}

/** As they go over the wire. */
export function wire(...events: readonly ServerSent[]): string {
  return events
    .map(({ kind, id, data }) => `event: ${kind}\n${id === null ? '' : `id: ${id}\n`}data: ${data}\n\n`)
    .join('');
}
