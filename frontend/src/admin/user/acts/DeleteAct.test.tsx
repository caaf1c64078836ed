import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { impersonating } from '../../../api/client';
import { address, network, open, problem, type Call } from '../../../test/app';
import { operates, userWhole, USER_ID } from '../../../test/operators';

const USER = `GET /v1/admin/users/${USER_ID}`;
const PLACE = `/admin/users/${USER_ID}`;
const at = (path: string) => `/v1/admin/users/${USER_ID}/${path}`;
const sent = (calls: Call[], route: string) => calls.filter((call) => call.route === route).map(({ body }) => body);
const button = (name: string) => screen.findByRole('button', { name });
const HOSTILE = '<img src=x onerror="window.hit = true">';

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
    const remove = await button('Delete them for good');
    expect(remove.hasAttribute('disabled')).toBe(true);
    await userEvent.type(question.getByLabelText('Their address'), 'grace@example.co');
    expect(remove.hasAttribute('disabled')).toBe(true);
    await userEvent.type(question.getByLabelText('Their address'), 'm');
    await userEvent.click(remove);
    expect(question.getByText('Say why.')).toBeTruthy();
    expect(calls.filter(({ route }) => route.startsWith('DELETE'))).toEqual([]);
    await userEvent.type(question.getByLabelText('Reason'), ' asked for it ');
    await userEvent.click(remove);
    expect(calls.find(({ route }) => route.startsWith('DELETE'))?.query).toEqual({ reason: 'asked for it' });
    expect(await screen.findByText('The user is deleted, and the address is free.')).toBeTruthy();
    expect(await screen.findByText('This user is deleted: nothing can be changed any more.')).toBeTruthy();
    expect(within(screen.getByRole('region', { name: 'Who' })).getAllByText('Deleted')).not.toEqual([]);
  });

  it('is not done while it is not known what it takes along', async () => {
    network({ ...operates(), [USER]: [200, userWhole()], [`GET ${at('deletion')}`]: problem(500, 'internal_error', 'No.') });
    open(PLACE, 'signed-in');
    await userEvent.click(await button('Delete this user'));
    expect(await screen.findByText('It could not be found out what goes with them')).toBeTruthy();
    await userEvent.type(screen.getByLabelText('Their address'), 'grace@example.com');
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
