import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { network, open, problem, type Call } from '../../../test/app';
import { operates, userRow, usersPage } from '../../../test/operators';
import { leftOutLines, progressText } from './bulkText';

const PREVIEW = 'POST /v1/admin/bulk-actions/preview';
const START = 'POST /v1/admin/bulk-actions';
const PROGRESS = 'GET /v1/admin/bulk-actions/b1';
const sent = (calls: Call[], route: string) => calls.filter((call) => call.route === route).map(({ body }) => body);
const button = (name: string) => screen.findByRole('button', { name });

const rows = ['a', 'b', 'c'].map((name) => userRow({ id: `id-${name}`, email: `${name}@example.com` }));
const preview = (changes: object = {}) =>
  [200, { matched: 2, affected: 1, left_out: { unknown: 0, protected: 1, state: 0 }, ticket: 't1', ...changes }] as const;
const action = (changes: object = {}) => ({
  id: 'b1',
  action: 'lock',
  arguments: {},
  state: 'running',
  detail: null,
  created_by: 'x',
  created_at: '2026-11-01T10:00:00Z',
  ended_at: null,
  total: 3,
  waiting: 2,
  done: 1,
  left_out: {},
  ...changes,
});
const basis = {
  ...operates(),
  'GET /v1/admin/users': usersPage(rows),
  'GET /v1/subscription/plans': [200, { plans: [{ name: 'pro', display_name: 'Pro' }], contact: null }],
} as const;

describe('acts on many users', () => {
  it('show whom they affect, are then done with a reason, and are watched until they have ended', async () => {
    let isFinished = false;
    const calls = network({
      ...basis,
      [PREVIEW]: preview(),
      [START]: [202, action()],
      [PROGRESS]: () => [
        200,
        isFinished ? action({ state: 'finished', waiting: 0, done: 2, left_out: { state: 1 } }) : action(),
      ],
    });
    open('/admin/users', 'signed-in');
    expect(await screen.findByLabelText('Choose a@example.com')).toBeTruthy();
    expect(screen.queryByRole('region', { name: 'Act on those who are chosen' })).toBeNull();
    await userEvent.click(screen.getByLabelText('Choose a@example.com'));
    await userEvent.click(screen.getByLabelText('Choose b@example.com'));
    const bar = within(screen.getByRole('region', { name: 'Act on those who are chosen' }));
    expect(bar.getByText('2 users are chosen.')).toBeTruthy();
    await userEvent.click(await button('See whom it affects'));
    expect(await bar.findByText('It affects 1 of 2.')).toBeTruthy();
    expect(bar.getByText('1 who are operators, or yourself')).toBeTruthy();
    expect(sent(calls, PREVIEW)).toEqual([{ action: 'lock', ids: ['id-a', 'id-b'] }]);
    await userEvent.click(await button('Lock 1'));
    expect(bar.getByText('Say why.')).toBeTruthy();
    expect(sent(calls, START)).toEqual([]);
    await userEvent.type(bar.getByLabelText('Reason'), 'spam');
    await userEvent.click(await button('Lock 1'));
    expect(await screen.findByText('Lock: running')).toBeTruthy();
    expect(screen.getByText('1 of 3 done')).toBeTruthy();
    expect(sent(calls, START)).toEqual([{ action: 'lock', ids: ['id-a', 'id-b'], ticket: 't1', reason: 'spam' }]);
    expect(screen.queryByRole('region', { name: 'Act on those who are chosen' })).toBeNull();
    isFinished = true;
    expect(await screen.findByText('Lock: finished')).toBeTruthy();
    expect(screen.getByText('2 of 3 done, 1 left out')).toBeTruthy();
    await userEvent.click(await button('Close'));
    expect(screen.queryByText('Lock: finished')).toBeNull();
  });

  it('are for all that match, with a plan for so many days', async () => {
    const calls = network({ ...basis, [PREVIEW]: preview({ left_out: {} }) });
    open('/admin/users?q=example&status=active', 'signed-in');
    await userEvent.click(await screen.findByLabelText('Choose all on this page'));
    expect(screen.getByText('3 users are chosen.')).toBeTruthy();
    await userEvent.click(await button('Choose all that match: 3 users'));
    expect(screen.getByText('All that match are chosen: 3 users.')).toBeTruthy();
    await userEvent.selectOptions(screen.getByLabelText('What is done'), 'Assign a plan');
    await userEvent.clear(screen.getByLabelText('For how many days'));
    await userEvent.click(await button('See whom it affects'));
    expect(screen.getByText('Enter a whole number of days from 1 to 3,660.')).toBeTruthy();
    await userEvent.type(screen.getByLabelText('For how many days'), '7');
    await userEvent.click(await button('See whom it affects'));
    expect(await screen.findByText('It affects 1 of 2.')).toBeTruthy();
    const filter = { q: 'example', status: 'active', plan: null, role: null };
    expect(sent(calls, PREVIEW)).toEqual([{ action: 'upgrade_plan', filter, plan_name: 'pro', duration_days: 7 }]);
  });

  it('forget what they would affect when something else is chosen', async () => {
    network({ ...basis, [PREVIEW]: preview() });
    open('/admin/users', 'signed-in');
    await userEvent.click(await screen.findByLabelText('Choose a@example.com'));
    await userEvent.click(await button('See whom it affects'));
    expect(await screen.findByText('It affects 1 of 2.')).toBeTruthy();
    await userEvent.click(screen.getByLabelText('Choose c@example.com'));
    expect(screen.queryByText('It affects 1 of 2.')).toBeNull();
    await userEvent.click(await button('Choose nobody'));
    expect(screen.getByLabelText<HTMLInputElement>('Choose a@example.com').checked).toBe(false);
  });

  it('say when those who are affected have changed since', async () => {
    network({ ...basis, [PREVIEW]: preview(), [START]: problem(409, 'users_changed', 'Others match now. Look again.') });
    open('/admin/users', 'signed-in');
    await userEvent.click(await screen.findByLabelText('Choose a@example.com'));
    await userEvent.click(await button('See whom it affects'));
    await userEvent.type(await screen.findByLabelText('Reason'), 'x');
    await userEvent.click(await button('Lock 1'));
    expect((await screen.findByText('Nothing was begun')).closest('[role="alert"]')?.textContent).toContain('Look again.');
  });

  it('are stopped', async () => {
    let isStopped = false;
    network({
      ...basis,
      [PREVIEW]: preview(),
      [START]: [202, action()],
      [PROGRESS]: () => [200, action(isStopped ? { state: 'stopped', detail: 'Stopped by x.' } : {})],
      'POST /v1/admin/bulk-actions/b1/stop': () => {
        isStopped = true;
        return [200, action({ state: 'stopped' })];
      },
    });
    open('/admin/users', 'signed-in');
    await userEvent.click(await screen.findByLabelText('Choose a@example.com'));
    await userEvent.click(await button('See whom it affects'));
    await userEvent.type(await screen.findByLabelText('Reason'), 'x');
    await userEvent.click(await button('Lock 1'));
    await userEvent.click(await button('Stop it'));
    expect(await screen.findByText('Lock: stopped')).toBeTruthy();
    expect(screen.getByText('Stopped by x.')).toBeTruthy();
  });

  it('are not there for who may do none of them', async () => {
    network({ ...basis, ...operates(['users.read', 'notes.write']) });
    open('/admin/users', 'signed-in');
    await screen.findByText('3 users');
    await vi.waitFor(() => expect(screen.queryByRole('checkbox')).toBeNull());
  });
});

describe('the words of acts on many', () => {
  it('tell each reason', () => {
    expect(leftOutLines({ unknown: 2, protected: 0, state: 1200 })).toEqual([
      '2 who are deleted or unknown',
      '1,200 who are not in the state that this begins from',
    ]);
    expect(leftOutLines({ plan_unknown: 3 })).toEqual(['3 for another reason: plan_unknown']);
  });

  it('tell how far it is', () => {
    expect(progressText(action({ total: 1000, done: 12 }) as never)).toBe('12 of 1,000 done');
  });
});
