import { fireEvent, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { address, network, open, problem, type Call } from '../../test/app';
import { savedFiles } from '../../test/files';
import { operates, OPERATOR_ID, USER_ID } from '../../test/operators';
import { auditEvent } from '../../test/watch';
import { changesOf } from './changes';

const LOG = 'GET /v1/admin/audit-logs';
const EXPORT = 'GET /v1/admin/audit-logs/export';
const page = (items: object[], changes: object = {}) =>
  [200, { page: 1, page_size: 50, total: items.length, total_is_exact: true, items, ...changes }] as const;
const asked = (calls: readonly Call[], route = LOG) => calls.filter((call) => call.route === route).map(({ query }) => query);

describe('the audit log', () => {
  it('opens each act to what it changed, before and after', async () => {
    const hostile = '<img src=x onerror="window.hit = true">';
    const event = auditEvent({
      reason: hostile,
      before: { status: 'active', name: 'Ada', roles: ['support'] },
      after: { status: 'suspended', name: 'Ada', roles: [] },
    });
    network({ ...operates(), [LOG]: page([event]) });
    open('/admin/audit', 'signed-in');
    expect((await screen.findByRole('heading', { level: 1 })).textContent).toBe('Audit log');
    expect(await screen.findByText(hostile)).toBeTruthy();
    expect(document.querySelector('img[src=x]')).toBeNull();
    expect(screen.getByText('Seal 12')).toBeTruthy();
    const by = screen.getByRole('link', { name: 'root@example.com' });
    expect([by.getAttribute('href'), by.title]).toEqual([`/admin/users/${OPERATOR_ID}`, OPERATOR_ID]);
    expect(screen.getByRole('link', { name: 'ada@example.com' }).title).toBe(USER_ID);
    const button = screen.getByRole('button', { name: /^(Open|Close) user\.lock, / });
    expect(button.getAttribute('aria-expanded')).toBe('false');
    await userEvent.click(button);
    expect(button.getAttribute('aria-expanded')).toBe('true');
    const changes = within(screen.getByRole('table', { name: 'What user.lock changed' }));
    const rows = changes.getAllByRole('row').slice(1).map((row) => Array.from(row.children, (cell) => cell.textContent));
    expect(rows).toEqual([
      ['status', 'active', 'suspended'],
      ['roles', '[\n  "support"\n]', '[]'],
    ]);
    expect(screen.getByText('192.0.2.1')).toBeTruthy();
    await userEvent.click(button);
    expect(screen.queryByRole('table', { name: 'What user.lock changed' })).toBeNull();
  });

  it('names both where somebody acted as another, and says what is not sealed yet', async () => {
    const real = '0199f0aa-0000-7000-8000-0000000000ee';
    network({
      ...operates(),
      [LOG]: page([
        auditEvent({ actor_id: USER_ID, actor_email: 'ada@example.com', real_actor_id: real, seal: null, target_kind: 'account', target_id: 'a1' }),
        auditEvent({ id: '2', actor_kind: 'command', actor_id: null }),
      ]),
    });
    open('/admin/audit', 'signed-in');
    expect((await screen.findByText('Not sealed yet')).closest('tr')?.textContent).toContain(`${real} acting as ada@example.com`);
    expect(screen.getByText('a command on the server')).toBeTruthy();
    expect(screen.getByText('2 acts. Times and days are those of Berlin.')).toBeTruthy();
  });

  it('is asked for as the address says, and the address says what is looked for', async () => {
    const calls = network({ ...operates(), [LOG]: page([auditEvent()]) });
    open(`/admin/audit?action=user.&actor=${USER_ID}&target=t&request=req_1&from=2026-11-23&until=2026-11-23&page=3`, 'signed-in');
    await screen.findByText(/^1 act\./);
    expect(asked(calls).at(-1)).toEqual({
      action: 'user.',
      actor: USER_ID,
      target_id: 't',
      request_id: 'req_1',
      from: '2026-11-22T23:00:00.000Z',
      to: '2026-11-23T23:00:00.000Z',
      page: '3',
      page_size: '50',
    });
    const by = screen.getByRole('textbox', { name: 'By' });
    await userEvent.clear(by);
    await userEvent.type(by, 'ada');
    await userEvent.click(screen.getByRole('button', { name: 'Show these acts' }));
    expect(screen.getByText('Enter the whole address or id of a user.')).toBeTruthy();
    expect(address()).toContain('page=3');
    await userEvent.clear(by);
    const act = screen.getByRole<HTMLInputElement>('combobox', { name: 'Act' });
    expect(Array.from(act.list?.options ?? [], ({ value }) => value)).toContain('user.lock');
    await userEvent.type(by, 'ada@example.com');
    await userEvent.clear(act);
    await userEvent.type(act, 'key.');
    await userEvent.click(screen.getByRole('button', { name: 'Show these acts' }));
    await vi.waitFor(() =>
      expect(address()).toBe('/admin/audit?action=key.&actor=ada%40example.com&target=t&request=req_1&from=2026-11-23&until=2026-11-23'),
    );
    await vi.waitFor(() => expect(asked(calls).at(-1)?.action).toBe('key.'));
    await userEvent.click(screen.getByRole('button', { name: 'Show all' }));
    await vi.waitFor(() => expect(address()).toBe('/admin/audit'));
    await vi.waitFor(() => expect(screen.getByRole<HTMLInputElement>('combobox', { name: 'Act' }).value).toBe(''));
  });

  it('is not asked for a time that ends before it begins', async () => {
    network({ ...operates(), [LOG]: page([auditEvent()]) });
    open('/admin/audit?from=2026-11-23', 'signed-in');
    const until = await screen.findByLabelText('Until');
    fireEvent.change(until, { target: { value: '2026-11-22' } });
    expect(screen.getByText('Choose a day that is not before the first one.')).toBeTruthy();
    await userEvent.click(screen.getByRole('button', { name: 'Show these acts' }));
    expect(address()).toBe('/admin/audit?from=2026-11-23');
    fireEvent.change(until, { target: { value: '2026-11-23' } });
    await userEvent.click(screen.getByRole('button', { name: 'Show these acts' }));
    await vi.waitFor(() => expect(address()).toBe('/admin/audit?from=2026-11-23&until=2026-11-23'));
  });

  it('is downloaded whole with the same filters', async () => {
    const calls = network({ ...operates(), [LOG]: page([auditEvent()]), [EXPORT]: [200, 'id,at\n'] });
    const saved = savedFiles();
    open('/admin/audit?action=user.&page=2', 'signed-in');
    await userEvent.click(await screen.findByRole('button', { name: 'Download CSV' }));
    expect(await screen.findByText(/^The audit log is downloaded/)).toBeTruthy();
    expect(asked(calls, EXPORT)).toEqual([{ action: 'user.' }]);
    expect(await saved[0]?.content.text()).toBe('id,at\n');
  });

  it('says when it could not be loaded, and is asked for again', async () => {
    let works = false;
    network({ ...operates(), [LOG]: () => (works ? page([]) : problem(503, 'temporarily_unavailable', 'Not now.')) });
    open('/admin/audit', 'signed-in');
    expect(await screen.findByText('The audit log could not be loaded')).toBeTruthy();
    works = true;
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByText('Nothing was done yet.')).toBeTruthy();
  });

  it('is no room of who may not read it', async () => {
    network({ ...operates(['stats.read', 'users.read']), 'GET /v1/admin/health': [200, { as_of: '2026-11-23T13:03:12Z', state: 'ok', checks: [] }] });
    open('/admin/health', 'signed-in');
    expect(await screen.findByRole('link', { name: 'Health' })).toBeTruthy();
    expect(screen.queryByRole('link', { name: 'Audit' })).toBeNull();
  });

  it('says to who may not read it that they may not, and nothing else', async () => {
    const calls = network({ ...operates(['users.read']), [LOG]: problem(403, 'permission_missing', 'No.') });
    open('/admin/audit', 'signed-in');
    expect(await screen.findByText('Your role does not read the audit log')).toBeTruthy();
    expect(screen.queryByRole('search')).toBeNull();
    expect(asked(calls)).toEqual([]);
  });
});

describe('what an act changed', () => {
  it('is what differs, and a field that came or went', () => {
    const same = { kept: { a: 1 } };
    expect(changesOf({ before: null, after: { plan: 'pro', seats: 3 } })).toEqual([
      { name: 'plan', before: undefined, after: 'pro' },
      { name: 'seats', before: undefined, after: '3' },
    ]);
    expect(changesOf({ before: { ...same, gone: null }, after: { ...same, is: true } })).toEqual([
      { name: 'gone', before: 'null', after: undefined },
      { name: 'is', before: undefined, after: 'true' },
    ]);
    expect(changesOf({ before: null, after: null })).toEqual([]);
  });
});
