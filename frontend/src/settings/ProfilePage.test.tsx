import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { address, network, open, problem } from '../test/app';
import { me } from '../test/me';

const ME = 'GET /v1/auth/me';
const SAVE = 'PATCH /v1/auth/me';
const saved = [200, { name: null, display_zone: null, language: null, theme: null }] as const;

describe('the settings', () => {
  it('begin with the profile', async () => {
    network({ [ME]: [200, me()] });
    open('/app/settings', 'signed-in');
    await vi.waitFor(() => expect(address()).toBe('/app/settings/profile'));
    expect((await screen.findByRole('heading', { level: 1 })).textContent).toBe('Profile');
  });

  it('save the name and keep what was not touched', async () => {
    const calls = network({ [ME]: [200, me({ display_zone: 'Asia/Tokyo' })], [SAVE]: saved });
    open('/app/settings/profile', 'signed-in');
    await userEvent.type(await screen.findByRole('textbox', { name: 'Name' }), '  Ada ');
    await userEvent.click(screen.getByRole('button', { name: 'Save profile' }));
    expect(await screen.findByText('Saved')).toBeTruthy();
    expect(calls.find(({ route }) => route === SAVE)?.body).toEqual({ name: 'Ada', display_zone: 'Asia/Tokyo' });
    expect(calls.filter(({ route }) => route === ME).length).toBeGreaterThan(1);
    // It is about what was saved, and not about what is typed next.
    await userEvent.type(screen.getByRole('textbox', { name: 'Name' }), 'x');
    expect(screen.queryByText('Saved')).toBeNull();
  });

  it('show the id by which others make the reader a member, and the address as what it is: no field', async () => {
    network({ [ME]: [200, me()] });
    open('/app/settings/profile', 'signed-in');
    expect(await screen.findByText(me().id!)).toBeTruthy();
    expect(screen.getByRole('button', { name: 'Copy the user id' })).toBeTruthy();
    expect(screen.queryByRole('textbox', { name: 'E-mail address' })).toBeNull();
  });

  it('say what the server has against it', async () => {
    network({ [ME]: [200, me()], [SAVE]: problem(422, 'invalid_input', 'display_zone: no such zone.') });
    open('/app/settings/profile', 'signed-in');
    await userEvent.click(await screen.findByRole('button', { name: 'Save profile' }));
    expect((await screen.findByRole('alert')).textContent).toContain('Nothing was saved');
  });

  it('save the colour scheme, and use it at once', async () => {
    const calls = network({ [ME]: [200, me()], [SAVE]: saved });
    open('/app/settings/preferences', 'signed-in');
    const look = within(await screen.findByRole('region', { name: 'Look' }));
    await userEvent.click(look.getByRole('radio', { name: 'Dark' }));
    await userEvent.click(screen.getByRole('button', { name: 'Save preferences' }));
    expect(await screen.findByText('Saved')).toBeTruthy();
    expect(calls.find(({ route }) => route === SAVE)?.body).toEqual({ theme: 'dark', language: 'en' });
    expect(document.documentElement.getAttribute('data-mantine-color-scheme')).toBe('dark');
  });

  it.each(['profile', 'security', 'preferences'])('belong elsewhere for a guest: %s', async (page) => {
    network({ [ME]: [200, me({ kind: 'portal', id: null, email: null })] });
    open(`/app/settings/${page}`, 'signed-in');
    expect(await screen.findByText('Your sign-in belongs to the application that sent you here')).toBeTruthy();
    expect(screen.queryByRole('button', { name: /Save|Change/ })).toBeNull();
    expect(screen.queryByRole('navigation', { name: 'Settings' })).toBeNull();
  });

  it('show a guest the account and the role in it', async () => {
    network({ [ME]: [200, me({ kind: 'portal', id: null, email: null })] });
    open('/app/settings/profile', 'signed-in');
    const account = within(await screen.findByRole('region', { name: 'This account' }));
    for (const text of ['Ada', 'Owner', 'Europe/Berlin']) expect(account.getByText(text)).toBeTruthy();
  });
});
