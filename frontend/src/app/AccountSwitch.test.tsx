import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { acting } from '../api/acting';
import { ACCOUNT_DATA } from '../api/queries';
import { network, open, problem } from '../test/app';
import { ACME, ADA, me, member } from '../test/me';

const ME = 'GET /v1/auth/me';

async function openMenu(name: string) {
  const button = await screen.findByRole('button', { name });
  await userEvent.click(button);
  return within(await screen.findByRole('dialog'));
}

const ofAda = 'Account ada@example.com, acting for Ada';

describe('the account menu of a member of several accounts', () => {
  it('lists them with their roles, the acting one chosen', async () => {
    network({ [ME]: [200, member(ADA)] });
    open('/app', 'signed-in');
    const menu = await openMenu(ofAda);
    const list = within(menu.getByRole('list', { name: 'Act for' }));
    const choices = list.getAllByRole('button').map((choice) => [choice.title, choice.getAttribute('aria-current')]);
    expect(choices).toEqual([
      ['Acme', 'false'],
      ['Ada', 'true'],
    ]);
    expect(list.getByText('Developer')).toBeTruthy();
  });

  it('acts for another one, drops what was loaded for the first, and keeps the place', async () => {
    const calls = network({ [ME]: ({ account }) => [200, member(account === ACME ? ACME : ADA)] });
    const loaded = open('/app', 'signed-in');
    const menu = await openMenu(ofAda);
    loaded.setQueryData([...ACCOUNT_DATA, 'elsewhere'], 'of Ada');
    await userEvent.click(menu.getByTitle('Acme'));
    await screen.findByRole('button', { name: 'Account ada@example.com, acting for Acme' });
    expect(loaded.getQueryData([...ACCOUNT_DATA, 'elsewhere'])).toBeUndefined();
    expect(acting.account).toBe(ACME);
    expect(screen.queryByRole('dialog')).toBeNull();
    expect(await screen.findByText('You act for Acme now.')).toBeTruthy();
    expect(document.activeElement).toBe(screen.getByRole('button', { name: /acting for Acme/ }));
    const last = (route: string) => calls.findLast((call) => call.route === route)?.account;
    await vi.waitFor(() => expect(last('GET /v1/subscription/usage')).toBe(ACME));
    expect(last('GET /v1/subscription/me')).toBe(ACME);
  });

  it('keeps the list when the account cannot be loaded, so that another can be chosen', async () => {
    network({ [ME]: ({ account }) => (account === ACME ? problem(503, 'x', 'Busy.') : [200, member(ADA)]) });
    open('/app', 'signed-in');
    const menu = await openMenu(ofAda);
    await userEvent.click(menu.getByTitle('Acme'));
    const again = await openMenu('Account ada@example.com, acting for Acme');
    expect((await again.findByRole('alert')).textContent).toContain('This account could not be loaded.');
    await userEvent.click(again.getByTitle('Ada'));
    await screen.findByRole('button', { name: ofAda });
  });

  it('goes back to the own account when the user was taken out of the other, and says so', async () => {
    let gone = false;
    network({
      [ME]: ({ account }) => {
        if (account !== ACME) return [200, member(ADA)];
        return gone ? problem(404, 'account_unknown', 'No.') : [200, member(ACME)];
      },
    });
    const loaded = open('/app', 'signed-in');
    await userEvent.click((await openMenu(ofAda)).getByTitle('Acme'));
    await screen.findByText('You act for Acme now.');
    gone = true;
    await loaded.invalidateQueries({ queryKey: ACCOUNT_DATA });
    const notice = (await screen.findByText('You are no longer a member of Acme')).parentElement;
    await screen.findByRole('button', { name: ofAda });
    expect(notice?.textContent).toContain('You act for Ada now.');
    expect(acting.account).toBeNull();
    await userEvent.click(screen.getByRole('button', { name: 'Close' }));
    expect(screen.queryByText('You are no longer a member of Acme')).toBeNull();
  });

  it('forgets the choice at the sign-out, which is not for an account', async () => {
    const calls = network({
      [ME]: ({ account }) => [200, member(account === ACME ? ACME : ADA)],
      'POST /v1/auth/logout': [200, { message: 'Bye.' }],
    });
    open('/app', 'signed-in');
    const menu = await openMenu(ofAda);
    await userEvent.click(menu.getByTitle('Acme'));
    await userEvent.click((await openMenu('Account ada@example.com, acting for Acme')).getByText('Sign out'));
    await screen.findByRole('heading', { name: 'Sign in' });
    expect(calls.find(({ route }) => route === 'POST /v1/auth/logout')?.account).toBeNull();
    expect(acting.account).toBeNull();
    expect(window.sessionStorage.length).toBe(0);
  });
});

describe('the account menu of others', () => {
  it('calls the reader by the name they gave', async () => {
    network({ [ME]: [200, me({ name: 'Ada Lovelace' })] });
    open('/app', 'signed-in');
    const menu = await openMenu('Account ada@example.com');
    expect(menu.getByText('Ada Lovelace')).toBeTruthy();
    expect(menu.getByText('ada@example.com')).toBeTruthy();
  });

  it('has no list for one account', async () => {
    network({ [ME]: [200, me()] });
    open('/app', 'signed-in');
    const menu = await openMenu('Account ada@example.com');
    expect(menu.queryByRole('list')).toBeNull();
  });

  it.each([
    ['guest of a portal link', { kind: 'portal', email: null, id: null }, 'Account Ada', 'Guest of'],
    [
      'user of another issuer',
      { kind: 'foreign_user', email: null, id: null, subject: 'auth0|7' },
      'Account auth0|7',
      'Signed in as',
    ],
  ] as const)('names a %s, who has no address', async (_name, changes, button, label) => {
    network({ [ME]: [200, me(changes)] });
    open('/app', 'signed-in');
    const menu = await openMenu(button);
    expect(menu.getByText(label)).toBeTruthy();
    expect(menu.queryByRole('list')).toBeNull();
  });
});
