import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { impersonating } from '../../api/client';
import { address, network, open, problem, type Call } from '../../test/app';
import { me } from '../../test/me';
import { meter } from '../../test/meters';
import { operates, OPERATOR_ID, userWhole, USER_ID } from '../../test/operators';

const USER = `GET /v1/admin/users/${USER_ID}`;
const PLACE = `/admin/users/${USER_ID}`;
const at = (path: string) => `/v1/admin/users/${USER_ID}/${path}`;
const list = (items: object[]) => [200, { page: 1, page_size: 20, total: items.length, total_is_exact: true, items }] as const;
const sent = (calls: Call[], route: string) => calls.filter((call) => call.route === route).map(({ body }) => body);
const button = (name: string) => screen.findByRole('button', { name });
const HOSTILE = '<img src=x onerror="window.hit = true">';

describe('the notes', () => {
  const note = { id: 'n', text: `Called.\n${HOSTILE}`, author: 'root@example.com', created_by: OPERATOR_ID };
  const made = { ...note, created_at: '2026-11-01T10:00:00Z' };

  it('are written for other operators, and taken away by their authors', async () => {
    let items: object[] = [];
    const calls = network({
      ...operates(),
      [USER]: [200, userWhole()],
      [`GET ${at('notes')}`]: () => list(items),
      [`POST ${at('notes')}`]: () => {
        items = [made, { ...made, id: 'other', created_by: 'other', author: 'other@example.com' }];
        return [201, made];
      },
      [`DELETE ${at('notes/n')}`]: () => {
        items = [];
        return [200, { message: 'Done.' }];
      },
      'GET /v1/admin/me': [200, { user_id: OPERATOR_ID, email: 'x', roles: ['support'], permissions: ['users.read', 'notes.write'] }],
    });
    open(`${PLACE}?tab=notes`, 'signed-in');
    expect(await screen.findByText('Nobody has noted anything about this user.')).toBeTruthy();
    await userEvent.click(await button('Add note'));
    expect(screen.getByText('Write something.')).toBeTruthy();
    await userEvent.type(screen.getByLabelText('New note'), 'Called.');
    await userEvent.click(await button('Add note'));
    await screen.findByText(/other@example.com/);
    expect(sent(calls, `POST ${at('notes')}`)).toEqual([{ text: 'Called.' }]);
    expect(screen.getAllByText(/onerror/)).toHaveLength(2);
    expect(document.querySelector('img[src=x]')).toBeNull();
    expect(screen.getAllByRole('button', { name: 'Take away' })).toHaveLength(1);
    await userEvent.click(await button('Take away'));
    await userEvent.click(await button('Take it away'));
    expect(await screen.findByText('The note is taken away.')).toBeTruthy();
  });
});

describe('the overrides', () => {
  const given = {
    id: 'o',
    meter: 'jobs',
    kind: 'add',
    amount: 50,
    starts_at: '2026-11-01T10:00:00Z',
    ends_at: null,
    reason: HOSTILE,
    state: 'in_force',
    created_by: OPERATOR_ID,
    created_at: '2026-11-01T10:00:00Z',
    ended_by: null,
    ended_at: null,
  };
  const usage = { usage: {}, limits: {}, meters: [meter({ meter: 'jobs', name: 'Jobs' })] } as never;

  it('are given with a reason and times of the reader, and taken back', async () => {
    let items: object[] = [];
    const calls = network({
      ...operates(),
      'GET /v1/auth/me': [200, me({ display_zone: 'Europe/Berlin', roles: ['superadmin'] })],
      [USER]: [200, userWhole({ usage })],
      [`GET ${at('overrides')}`]: () => list(items),
      [`POST ${at('overrides')}`]: () => {
        items = [given];
        return [201, given];
      },
      [`DELETE ${at('overrides/o')}`]: () => {
        items = [{ ...given, state: 'taken_back', ended_at: '2026-11-02T10:00:00Z' }];
        return [200, given];
      },
    });
    open(`${PLACE}?tab=overrides`, 'signed-in');
    expect(await screen.findByText('This account was never given another limit.')).toBeTruthy();
    await userEvent.click(await button('Give this limit'));
    expect(screen.getByText('Enter a whole number from 0 on.')).toBeTruthy();
    expect(screen.getByText('Say why.')).toBeTruthy();
    await userEvent.type(screen.getByLabelText('Amount'), '50');
    expect(screen.getByText('That is 50.')).toBeTruthy();
    await userEvent.type(screen.getByLabelText('Until'), '2026-01-01T09:00');
    await userEvent.type(screen.getByLabelText('Reason'), 'a promise');
    await userEvent.click(await button('Give this limit'));
    expect(screen.getByText('Choose an end after the beginning.')).toBeTruthy();
    await userEvent.clear(screen.getByLabelText('Until'));
    await userEvent.type(screen.getByLabelText('Until'), '2099-01-01T09:00');
    await userEvent.click(await button('Give this limit'));
    expect(await screen.findByText('Given. Jobs: 50 more than the plan')).toBeTruthy();
    expect(sent(calls, `POST ${at('overrides')}`)).toEqual([
      { meter: 'jobs', kind: 'add', amount: 50, starts_at: null, ends_at: '2099-01-01T08:00:00.000Z', reason: 'a promise' },
    ]);
    expect(await screen.findByText(HOSTILE)).toBeTruthy();
    await userEvent.click(await button('Take back'));
    await userEvent.click(await button('Take it back'));
    expect(await screen.findByText('Taken back. Jobs: 50 more than the plan')).toBeTruthy();
    await vi.waitFor(() => expect(screen.queryByRole('button', { name: 'Take back' })).toBeNull());
  });

  it('may set no limit at all', async () => {
    const calls = network({
      ...operates(),
      [USER]: [200, userWhole({ usage })],
      [`GET ${at('overrides')}`]: list([]),
      [`POST ${at('overrides')}`]: [201, { ...given, kind: 'set', amount: null }],
    });
    open(`${PLACE}?tab=overrides`, 'signed-in');
    await button('Give this limit');
    await userEvent.selectOptions(screen.getByLabelText('How'), 'In place of the plan’s limit');
    await userEvent.click(screen.getByLabelText('Unlimited'));
    await userEvent.type(screen.getByLabelText('Reason'), 'x');
    await userEvent.click(await button('Give this limit'));
    expect(await screen.findByText('Given. Jobs: unlimited')).toBeTruthy();
    expect(sent(calls, `POST ${at('overrides')}`)).toMatchObject([{ kind: 'set', amount: null }]);
  });
});

describe('the audit log of a user', () => {
  it('shows what was done, as text', async () => {
    const event = {
      id: 'e',
      target_kind: 'user',
      target_id: USER_ID,
      address: null,
      seal: 7,
      at: '2026-11-01T10:00:00Z',
      action: 'user.lock',
      actor_kind: 'user',
      actor_id: OPERATOR_ID,
      real_actor_id: null,
      reason: HOSTILE,
      before: { status: 'active' },
      after: { status: 'suspended' },
      request_id: 'req_9',
    };
    const calls = network({ ...operates(), [USER]: [200, userWhole()], 'GET /v1/admin/audit-logs': list([event]) });
    open(`${PLACE}?tab=audit`, 'signed-in');
    const row = (await screen.findByText('user.lock')).closest('tr');
    expect(row?.textContent).toContain(OPERATOR_ID);
    expect(screen.getByText(HOSTILE)).toBeTruthy();
    const asked = calls.find(({ route }) => route === 'GET /v1/admin/audit-logs');
    expect(asked?.query).toEqual({ target_id: USER_ID, page: '1' });
  });

  it('is for those who may read it', async () => {
    network({ ...operates(['users.read']), [USER]: [200, userWhole()] });
    open(PLACE, 'signed-in');
    const tabs = within(await screen.findByRole('navigation', { name: 'Parts of this user' }));
    expect(tabs.queryByRole('link', { name: 'Audit' })).toBeNull();
  });
});

describe('a deletion', () => {
  const deletion = {
    sessions: 2,
    keys: 0,
    plan: 'pro',
    subscription: { status: 'active' },
    open_reservations: 1,
    members_who_lose_access: 0,
    memberships: 2,
    accounts: [
      { account_id: 'a', account_name: HOSTILE, role: 'owner', is_only_member: true },
      { account_id: 'b', account_name: 'Acme', role: 'viewer', is_only_member: false },
    ],
  };

  it('shows what it takes along before it is done', async () => {
    let isDeleted = false;
    const calls = network({
      ...operates(),
      [USER]: () => [200, userWhole(isDeleted ? { status: 'deleted', deleted_at: '2026-11-20T00:00:00Z' } : {})],
      [`GET ${at('deletion')}`]: [200, deletion],
      [`DELETE /v1/admin/users/${USER_ID}`]: () => {
        isDeleted = true;
        return [200, { message: 'Done.' }];
      },
    });
    open(PLACE, 'signed-in');
    await userEvent.click(await button('Delete this user'));
    const question = within(screen.getByRole('form', { name: 'Delete' }));
    expect(await question.findByText('Sessions: 2')).toBeTruthy();
    expect(question.getAllByRole('listitem').map(({ textContent }) => textContent)).toEqual([
      'The subscription in force, on the plan pro',
      'Sessions: 2',
      'Open reservations: 1',
      'Roles in accounts of others: 2',
      HOSTILE,
    ]);
    expect(calls.filter(({ route }) => route.startsWith('DELETE'))).toEqual([]);
    await userEvent.click(await button('Delete them for good'));
    expect(await screen.findByText('The user is deleted, and the address is free.')).toBeTruthy();
    expect(await screen.findByText('This user is deleted: nothing can be changed any more.')).toBeTruthy();
    expect(within(screen.getByRole('region', { name: 'Who' })).getAllByText('Deleted')).not.toEqual([]);
  });

  it('is not done while it is not known what it takes along', async () => {
    network({ ...operates(), [USER]: [200, userWhole()], [`GET ${at('deletion')}`]: problem(500, 'internal_error', 'No.') });
    open(PLACE, 'signed-in');
    await userEvent.click(await button('Delete this user'));
    expect(await screen.findByText('It could not be found out what goes with them')).toBeTruthy();
    expect((await button('Delete them for good')).hasAttribute('disabled')).toBe(true);
  });
});

describe('acting as a user', () => {
  it('is begun with a reason, and leads to what they see', async () => {
    const calls = network({
      ...operates(),
      [USER]: [200, userWhole()],
      [`POST ${at('impersonate')}`]: [200, { access_token: 'theirs', expires_at: '2099-01-01T00:00:00Z', may_write: false }],
    });
    open(PLACE, 'signed-in');
    await userEvent.click(await button('Act as this user'));
    await userEvent.click(await button('Begin'));
    expect(screen.getByText('Say why.')).toBeTruthy();
    await userEvent.type(screen.getByLabelText('Reason'), 'ticket 7');
    await userEvent.click(await button('Begin'));
    await vi.waitFor(() => expect(impersonating.held).toEqual({ userId: USER_ID, token: 'theirs' }));
    expect(address()).toBe('/app');
    expect(sent(calls, `POST ${at('impersonate')}`)).toEqual([{ reason: 'ticket 7', access: 'read' }]);
    impersonating.end('theirs', 'left');
  });
});
