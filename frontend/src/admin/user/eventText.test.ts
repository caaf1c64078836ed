import { expect, it } from 'vitest';
import type { AuditEvent } from '../../api/types';
import { actorText, changeLines } from './eventText';

const event = (changes: Partial<AuditEvent>): AuditEvent => ({
  id: 'e',
  at: '2026-11-01T10:00:00Z',
  action: 'user.lock',
  actor_kind: 'user',
  actor_id: 'ada',
  real_actor_id: null,
  target_kind: 'user',
  target_id: 'grace',
  reason: null,
  before: null,
  after: null,
  address: null,
  request_id: null,
  seal: null,
  ...changes,
});

it('says who acted, and as whom', () => {
  expect(actorText(event({}))).toBe('ada');
  expect(actorText(event({ actor_kind: 'command', actor_id: null }))).toBe('A command');
  expect(actorText(event({ actor_id: 'grace', real_actor_id: 'ada' }))).toBe('ada, acting as grace');
});

it('says what was changed', () => {
  const changed = event({ before: { status: 'active', name: null }, after: { status: 'suspended', roles: ['admin'] } });
  expect(changeLines(changed)).toEqual([
    'status: active → suspended',
    'name: nothing → nothing',
    'roles: nothing → ["admin"]',
  ]);
  expect(changeLines(event({ after: { text: '<b>' } }))).toEqual(['text: <b>']);
  expect(changeLines(event({}))).toEqual([]);
});
