import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { address, network, open, problem } from '../test/app';
import { me } from '../test/me';
import { operates, usersPage } from '../test/operators';

const rooms = async () =>
  within(await screen.findByRole('navigation', { name: 'Rooms of the back office' }))
    .getAllByRole('link')
    .map(({ textContent }) => textContent);

describe('the frame of the back office', () => {
  it('shows the rooms that the operator may see, and marks the open one', async () => {
    network({ ...operates(['users.read']), 'GET /v1/admin/users': usersPage([]) });
    open('/admin/users?status=active', 'signed-in');
    expect(await rooms()).toEqual(['Users', 'Overrides']);
    expect(screen.getByRole('link', { name: 'Users' }).getAttribute('aria-current')).toBe('page');
    expect(screen.getByRole('link', { name: 'Feature Platform, Back office' })).toBeTruthy();
  });

  it('leads to the own account, and from there back', async () => {
    network({ ...operates(), 'GET /v1/admin/users': usersPage([]) });
    open('/admin/users', 'signed-in');
    await rooms();
    await userEvent.click(screen.getByRole('button', { name: 'Account root@example.com' }));
    await userEvent.click(await screen.findByRole('link', { name: 'My account' }));
    expect(await screen.findByRole('navigation', { name: 'Rooms' })).toBeTruthy();
    expect(address()).toBe('/app');
    await userEvent.click(screen.getByRole('button', { name: 'Account root@example.com' }));
    await userEvent.click(await screen.findByRole('link', { name: 'Back office' }));
    expect(await rooms()).toContain('Overview');
  });

  it('tells who is no operator, and offers them no way here', async () => {
    network({ 'GET /v1/auth/me': [200, me()], 'GET /v1/admin/me': problem(403, 'permission_missing', 'No.') });
    open('/admin', 'signed-in');
    expect(await screen.findByText('This is for operators of the platform')).toBeTruthy();
    expect(screen.queryByRole('navigation', { name: 'Rooms of the back office' })).toBeNull();
    await userEvent.click(await screen.findByRole('button', { name: 'Account ada@example.com' }));
    expect(await screen.findByText('Sign out')).toBeTruthy();
    expect(screen.queryByRole('link', { name: 'My account' })).toBeNull();
  });

  it('says what to do for a second factor', async () => {
    network({ ...operates(), 'GET /v1/admin/me': problem(403, 'second_factor_needed', 'No.') });
    open('/admin', 'signed-in');
    expect(await screen.findByText('Turn two-factor sign-in on first')).toBeTruthy();
    const link = screen.getByRole('link', { name: 'Open Settings, Security' });
    expect(link.getAttribute('href')).toBe('/app/settings/security');
  });

  it('is asked for again where it did not answer', async () => {
    let works = false;
    const operator = operates(['users.read']);
    network({
      ...operator,
      'GET /v1/admin/me': () => (works ? operator['GET /v1/admin/me'] : problem(500, 'internal_error', 'Broken.')),
      'GET /v1/admin/users': usersPage([]),
    });
    open('/admin/users', 'signed-in');
    expect(await screen.findByText('The back office could not be opened')).toBeTruthy();
    works = true;
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await rooms()).toEqual(['Users', 'Overrides']);
  });

  it('asks nobody who is signed out, and brings them back after the sign-in', async () => {
    const calls = network({});
    open('/admin/users?q=ada');
    expect(await screen.findByRole('heading', { name: 'Sign in' })).toBeTruthy();
    expect(address()).toBe(`/login?next=${encodeURIComponent('/admin/users?q=ada')}`);
    expect(calls.filter(({ route }) => route.includes('/v1/admin'))).toEqual([]);
  });
});
