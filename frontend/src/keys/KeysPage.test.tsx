import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { network, open, problem } from '../test/app';
import { me } from '../test/me';

const KEYS = 'GET /v1/keys';
const SECRET = 'fk_live_abcdefghijklmnopqrstuvwxyz0123456789';

const key = (id: string, changes: object = {}) => ({
  id,
  name: id,
  prefix: `fk_live_${id}`,
  scopes: [],
  user_id: null,
  is_mine: true,
  rate_limit_per_minute: null,
  created_at: '2026-11-01T10:00:00Z',
  expires_at: null,
  last_used_at: null,
  rotated_at: null,
  replaced_until: null,
  ...changes,
});
const page = (items: object[], changes: object = {}) =>
  [200, { items, next_after: null, manages_all: true, scopes: ['usage:read', 'usage:write'], ...changes }] as const;
const made = { id: 'laptop', key: SECRET, prefix: 'fk_live_abcdef', scopes: [] };
const basis = { 'GET /v1/auth/me': [200, me()] } as const;

describe('the keys', () => {
  it('are listed with what is known of them', async () => {
    network({
      ...basis,
      [KEYS]: page([
        key('laptop', { scopes: ['usage:read'], rate_limit_per_minute: 1200, is_mine: false }),
        key('old', { expires_at: '2020-01-01T00:00:00Z' }),
      ]),
    });
    open('/app/keys', 'signed-in');
    await screen.findByRole('button', { name: 'Revoke old' });
    const [laptop, old] = ['laptop', 'old'].map((name) =>
      screen.getByRole('button', { name: `Revoke ${name}` }).closest('li'),
    );
    expect(laptop?.textContent).toContain('fk_live_laptop…');
    expect(laptop?.textContent).toContain('reads usage · Made');
    expect(laptop?.textContent).toContain('never used');
    expect(laptop?.textContent).toContain('at most 1,200 requests a minute · made by another member');
    expect(old?.textContent).toContain('Expired');
    expect(screen.queryByRole('button', { name: 'Rotate old' })).toBeNull();
  });

  it('are made, and shown once', async () => {
    const calls = network({ ...basis, [KEYS]: page([]), 'POST /v1/keys': [201, made] });
    open('/app/keys', 'signed-in');
    expect(await screen.findByText('There is no key yet. Make one, and let a program use it.')).toBeTruthy();
    await userEvent.click(screen.getByRole('button', { name: 'Make key' }));
    expect(screen.getByText('Give the key a name.')).toBeTruthy();
    await userEvent.type(screen.getByLabelText('Name'), ' laptop ');
    await userEvent.type(screen.getByLabelText('Requests a minute, at most'), '60');
    await userEvent.selectOptions(screen.getByLabelText('What it may do'), 'Read usage');
    await userEvent.click(screen.getByRole('button', { name: 'Make key' }));
    expect(await screen.findByText(SECRET)).toBeTruthy();
    const sent = calls.filter(({ route }) => route === 'POST /v1/keys').map(({ body }) => body);
    expect(sent).toEqual([{ name: 'laptop', scopes: ['usage:read'], expires_at: null, rate_limit_per_minute: 60 }]);
    await userEvent.click(screen.getByRole('button', { name: 'I have kept it' }));
    expect(screen.queryByText(SECRET)).toBeNull();
  });

  it('that were not kept yet stay when another one is made', async () => {
    const other = { ...made, id: 'phone', key: `${SECRET}2` };
    let next: object = made;
    network({ ...basis, [KEYS]: page([]), 'POST /v1/keys': () => [201, next] });
    open('/app/keys', 'signed-in');
    for (const each of [made, other]) {
      next = each;
      await userEvent.type(await screen.findByLabelText('Name'), 'one');
      await userEvent.click(screen.getByRole('button', { name: 'Make key' }));
      expect(await screen.findByText(each.key)).toBeTruthy();
    }
    expect(screen.getByText(SECRET)).toBeTruthy();
    const newest = screen.getAllByRole('button', { name: 'I have kept it' })[0];
    await userEvent.click(newest ?? document.body);
    expect(screen.queryByText(other.key)).toBeNull();
    expect(screen.getByText(SECRET)).toBeTruthy();
  });

  it('say before they are made that a limit of 0 lets nothing pass', async () => {
    network({ ...basis, [KEYS]: page([key('closed', { rate_limit_per_minute: 0 })]) });
    open('/app/keys', 'signed-in');
    expect(await screen.findByText(/lets nothing pass: at most 0 requests a minute/)).toBeTruthy();
    await userEvent.type(screen.getByLabelText('Requests a minute, at most'), '0');
    expect(screen.getByText(/every request with this key will be refused/)).toBeTruthy();
  });

  it('are rotated, and the new secret is shown', async () => {
    network({ ...basis, [KEYS]: page([key('laptop')]), 'POST /v1/keys/laptop/rotate': [200, made] });
    open('/app/keys', 'signed-in');
    await userEvent.click(await screen.findByRole('button', { name: 'Rotate laptop' }));
    expect(await screen.findByText(SECRET)).toBeTruthy();
    expect(screen.getByText(/The old secret works for another 24 hours/)).toBeTruthy();
  });

  it('are revoked after a second question only', async () => {
    let items = [key('laptop')];
    const calls = network({
      ...basis,
      [KEYS]: () => page(items),
      'DELETE /v1/keys/laptop': () => {
        items = [];
        return [200, { message: 'Done.' }];
      },
    });
    open('/app/keys', 'signed-in');
    await userEvent.click(await screen.findByRole('button', { name: 'Revoke laptop' }));
    expect(document.activeElement?.textContent).toBe('Keep it');
    await userEvent.click(screen.getByRole('button', { name: 'Keep it' }));
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Revoke laptop');
    await userEvent.click(screen.getByRole('button', { name: 'Revoke laptop' }));
    expect(calls.filter(({ route }) => route.startsWith('DELETE'))).toEqual([]);
    const question = within(screen.getByRole('group', { name: 'Revoke laptop' }));
    expect(question.getByRole('alert').textContent).toContain('stops working at once');
    await userEvent.click(question.getByRole('button', { name: 'Revoke it' }));
    expect(await screen.findByText('laptop is revoked.')).toBeTruthy();
    await vi.waitFor(() => expect(screen.queryByRole('button', { name: 'Revoke laptop' })).toBeNull());
  });

  it('are not for every role', async () => {
    network({ ...basis, [KEYS]: problem(403, 'role_missing', 'No.') });
    open('/app/keys', 'signed-in');
    expect(await screen.findByText('Keys are not for this sign-in')).toBeTruthy();
    expect(screen.queryByRole('button', { name: 'Make key' })).toBeNull();
  });

  it('say when they could not be loaded, and are asked for again', async () => {
    let works = false;
    network({ ...basis, [KEYS]: () => (works ? page([key('laptop')]) : problem(500, 'internal_error', 'Broken.')) });
    open('/app/keys', 'signed-in');
    expect(await screen.findByText('The keys could not be loaded')).toBeTruthy();
    works = true;
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByText('fk_live_laptop…')).toBeTruthy();
  });
});
