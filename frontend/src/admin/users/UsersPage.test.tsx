import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { address, network, open, problem, type Call } from '../../test/app';
import { operates, userRow, usersPage, USER_ID } from '../../test/operators';

const USERS = 'GET /v1/admin/users';
const asked = (calls: Call[]) => calls.filter(({ route }) => route === USERS).map(({ query }) => query);
const basis = { 'GET /v1/subscription/plans': [200, { plans: [{ name: 'pro' }], contact: null }] } as const;

describe('the list of users', () => {
  it('shows what is known of each, as text, and leads to them', async () => {
    const hostile = '<img src=x onerror="window.hit = true">';
    network({
      ...operates(),
      ...basis,
      [USERS]: usersPage([userRow({ name: hostile, status: 'suspended', roles: ['read_only'], mfa_enabled: true })]),
    });
    open('/admin/users', 'signed-in');
    const link = await screen.findByRole('link', { name: 'grace@example.com' });
    expect(link.getAttribute('href')).toBe(`/admin/users/${USER_ID}`);
    const cells = within(link.closest('tr') as HTMLElement).getAllByRole('cell').map(({ textContent }) => textContent);
    expect(cells.slice(0, 5)).toEqual(['', 'Locked', 'free', 'Read only', 'On']);
    expect(cells.at(-1)).toBe('Never');
    expect(screen.getByText(hostile)).toBeTruthy();
    expect(document.querySelector('img[src=x]')).toBeNull();
    expect(screen.getByText('1 user')).toBeTruthy();
    expect(screen.getByRole('cell', { name: 'Locked' }).querySelector('svg')).toBeTruthy();
    expect(screen.getByRole('option', { name: 'Not deleted' })).toBeTruthy();
  });

  it('is asked for as the address says', async () => {
    const calls = network({ ...operates(), ...basis, [USERS]: usersPage([userRow()]) });
    open('/admin/users?q=grace&status=active&plan=gone&role=admin&sort=email&page=3&evil=1', 'signed-in');
    await screen.findByText('1 user');
    const query = { q: 'grace', status: 'active', plan: 'gone', role: 'admin', sort: 'email', page: '3', page_size: '50' };
    expect(asked(calls)[0]).toEqual(query);
    expect(screen.getByLabelText<HTMLInputElement>('Search').value).toBe('grace');
    expect(screen.getByLabelText<HTMLSelectElement>('Plan').value).toBe('gone');
  });

  it('leaves out what the address says wrong', async () => {
    const calls = network({ ...operates(), ...basis, [USERS]: usersPage([userRow()]) });
    open('/admin/users?status=great&role=king&sort=random&page=-3', 'signed-in');
    await screen.findByText('1 user');
    expect(asked(calls)[0]).toEqual({ page_size: '50' });
  });

  it('looks for what is typed, from the first page on, once the typing pauses', async () => {
    const calls = network({ ...operates(), ...basis, [USERS]: usersPage([userRow()]) });
    open('/admin/users?page=2&status=active', 'signed-in');
    await screen.findByText('1 user');
    await userEvent.keyboard('/');
    const box = screen.getByLabelText<HTMLInputElement>('Search');
    expect(document.activeElement).toBe(box);
    await userEvent.keyboard('a/b ');
    await vi.waitFor(() => expect(address()).toBe('/admin/users?q=a%2Fb&status=active'));
    expect(box.value).toBe('a/b ');
    expect(asked(calls).at(-1)).toEqual({ q: 'a/b', status: 'active', page_size: '50' });
    await userEvent.clear(box);
    await vi.waitFor(() => expect(address()).toBe('/admin/users?status=active'));
  });

  it('is narrowed by status, plan and role, and ordered', async () => {
    network({ ...operates(), ...basis, [USERS]: usersPage([userRow()]) });
    open('/admin/users', 'signed-in');
    await screen.findByText('1 user');
    await userEvent.selectOptions(screen.getByLabelText('Status'), 'Locked');
    await screen.findByRole('option', { name: 'pro' });
    await userEvent.selectOptions(screen.getByLabelText('Plan'), 'pro');
    await userEvent.selectOptions(screen.getByLabelText('Role'), 'Support');
    await userEvent.selectOptions(screen.getByLabelText('Order'), 'By address');
    expect(address()).toBe('/admin/users?status=suspended&plan=pro&role=support&sort=email');
    await userEvent.selectOptions(screen.getByLabelText('Order'), 'Newest first');
    await userEvent.selectOptions(screen.getByLabelText('Status'), 'Not deleted');
    expect(address()).toBe('/admin/users?plan=pro&role=support');
  });

  it('has pages, and says at least how many there are', async () => {
    const rows = Array.from({ length: 50 }, (_, index) => userRow({ id: `${USER_ID}${index}`, email: `u${index}@x.org` }));
    network({
      ...operates(),
      ...basis,
      [USERS]: ({ query }) => usersPage(rows, { page: Number(query.page ?? 1), total: 1000, total_is_exact: false }),
    });
    open('/admin/users?q=x.org', 'signed-in');
    await screen.findByText('At least 1,000 users');
    const pages = within(screen.getByRole('navigation', { name: 'Pages of users' }));
    expect(pages.queryByRole('link', { name: 'Previous page' })).toBeNull();
    await userEvent.click(pages.getByRole('link', { name: 'Next page' }));
    expect(await screen.findByText('Page 2')).toBeTruthy();
    expect(address()).toBe('/admin/users?q=x.org&page=2');
  });

  it('says when nobody is like that, and what to do', async () => {
    network({ ...operates(), ...basis, [USERS]: ({ query }) => usersPage(query.q === undefined ? [userRow()] : []) });
    open('/admin/users?q=nobody', 'signed-in');
    await userEvent.click(await screen.findByRole('button', { name: 'Show all users' }));
    expect(await screen.findByText('1 user')).toBeTruthy();
    expect(screen.getByLabelText<HTMLInputElement>('Search').value).toBe('');
  });

  it('says when it could not be loaded', async () => {
    network({ ...operates(), ...basis, [USERS]: problem(500, 'internal_error', 'Broken.') });
    open('/admin/users', 'signed-in');
    expect(await screen.findByText('The users could not be loaded')).toBeTruthy();
  });
});
