import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { network, open, type Call } from '../../test/app';
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
    created_by_email: 'root@example.com',
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
    expect(screen.getByRole('link', { name: 'root@example.com' }).title).toBe(OPERATOR_ID);
    await userEvent.click(await button('Take back'));
    expect(screen.queryByText('Given. Jobs: 50 more than the plan')).toBeNull();
    await userEvent.click(await button('Take it back'));
    expect(await screen.findByText('Taken back. Jobs: 50 more than the plan')).toBeTruthy();
    await userEvent.click(await button('Give this limit'));
    expect(screen.queryByText('Taken back. Jobs: 50 more than the plan')).toBeNull();
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

describe('the requests of a user', () => {
  it('are those that were refused to their account', async () => {
    const account = { id: 'a', external_id: null, name: HOSTILE, user_id: USER_ID, email: 'grace@example.com' };
    const one = {
      id: 'd1',
      code: 'quota_exceeded',
      meter: 'jobs',
      method: 'POST',
      path: `/v1/${HOSTILE}`,
      used: 10,
      limit: 10,
      requested: 1,
      first_at: '2026-11-01T10:00:00Z',
      last_at: '2026-11-01T10:00:00Z',
      count: 1,
      request_ids: ['req_3'],
      account,
      key: null,
    };
    const calls = network({
      ...operates(),
      [USER]: [200, userWhole()],
      'GET /v1/admin/decisions': ({ query }) => [
        200,
        query.after === undefined ? { items: [one], next: 'c' } : { items: [{ ...one, id: 'd2' }], next: null },
      ],
    });
    open(`${PLACE}?tab=requests`, 'signed-in');
    const link = await screen.findByRole('link', { name: 'Jobs: the limit is reached' });
    expect(link.getAttribute('href')).toBe('/admin/decisions/d1');
    await userEvent.click(await button('Show older ones'));
    expect(await screen.findAllByRole('link', { name: 'Jobs: the limit is reached' })).toHaveLength(2);
    const asked = calls.filter(({ route }) => route === 'GET /v1/admin/decisions').map(({ query }) => query);
    expect(asked.at(-1)).toEqual({ user_id: USER_ID, limit: '50', after: 'c' });
    expect(document.querySelector('img[src=x]')).toBeNull();
  });

  it('say when there are none', async () => {
    network({ ...operates(), [USER]: [200, userWhole()], 'GET /v1/admin/decisions': [200, { items: [], next: null }] });
    open(`${PLACE}?tab=requests`, 'signed-in');
    expect(await screen.findByText('Nothing was refused to this account in the time that is kept.')).toBeTruthy();
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
