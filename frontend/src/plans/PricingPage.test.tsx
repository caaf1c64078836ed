import { act, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { session } from '../api/client';
import { network, open, problem } from '../test/app';
import { plan, pro } from '../test/plans';

const PLANS = 'GET /v1/subscription/plans';

const onFree = [plan({ offer: { action: 'keep', direction: null } }), pro({ offer: { action: 'ask', direction: 'up' } })];
/** The answer to whoever is signed in right now. */
const offered = () => [200, { plans: session.status === 'signed-in' ? onFree : [plan(), pro()] }] as const;

describe('the prices', () => {
  it('compares the plans for a visitor, who can sign up and sign in', async () => {
    network({ [PLANS]: () => [200, { plans: [plan({ description: 'To try it out.' }), pro()] }] });
    open('/pricing');
    const table = within(await screen.findByRole('table'));
    expect(screen.getAllByRole('heading', { level: 1 }).map((heading) => heading.textContent)).toEqual(['Plans and prices']);
    expect(table.getByRole('columnheader', { name: /^Pro/ }).textContent).toContain('Recommended');
    const storage = within(table.getByRole('rowheader', { name: 'Storage at any time' }).closest('tr')!);
    expect(storage.getAllByRole('cell').map((cell) => cell.textContent)).toEqual(['100 MB', 'Unlimited']);
    expect(table.getByText('To try it out.')).toBeTruthy();
    expect(table.getByRole('link', { name: 'Start with Free' }).getAttribute('href')).toBe('/signup');
    expect(within(screen.getByRole('banner')).getByRole('link', { name: 'Sign in' }).getAttribute('href')).toBe('/login');
  });

  it('promises no paid plan to who signs up, for every account starts on the free one', async () => {
    network({ [PLANS]: offered });
    open('/pricing');
    await screen.findByRole('table');
    expect(screen.queryByText('Start with Pro')).toBeNull();
    expect(screen.getByRole('link', { name: 'Create an account' }).getAttribute('href')).toBe('/signup');
    expect(screen.getByText('It starts on Free; ask there for Pro.')).toBeTruthy();
  });

  it('shows who is signed in their own offers and the way to the overview', async () => {
    network({ [PLANS]: offered });
    open('/pricing', 'signed-in');
    expect(await screen.findByText('Your plan')).toBeTruthy();
    expect(within(screen.getByRole('banner')).getByRole('link', { name: 'Overview' })).toBeTruthy();
    expect(screen.queryByRole('link', { name: 'Sign in' })).toBeNull();
  });

  it('shows nothing of an account once its session is over', async () => {
    network({ [PLANS]: offered });
    open('/pricing', 'signed-in');
    await screen.findByText('Your plan');
    act(() => session.signOut());
    expect(await screen.findByRole('link', { name: 'Start with Free' })).toBeTruthy();
    expect(screen.queryByText('Your plan')).toBeNull();
    expect(within(screen.getByRole('banner')).getByRole('link', { name: 'Sign in' })).toBeTruthy();
  });

  it('says why they are not there, with the request id, and loads them on another try', async () => {
    let works = false;
    network({ [PLANS]: () => (works ? offered() : problem(500, 'internal', 'Broken.')) });
    open('/pricing');
    const alert = await screen.findByRole('alert');
    expect(alert.textContent).toContain('The plans could not be loaded');
    expect(alert.textContent).toContain('req_1');
    works = true;
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByRole('table')).toBeTruthy();
  });

  it('says so where no plan is on sale', async () => {
    network({ [PLANS]: [200, { plans: [] }] });
    open('/pricing');
    expect(await screen.findByText(/No plan is on sale/)).toBeTruthy();
    expect(screen.queryByRole('table')).toBeNull();
  });

  it('keeps their place while they load', async () => {
    let answer = (): void => undefined;
    vi.stubGlobal('fetch', () => new Promise<Response>((done) => {
      answer = () => done(new Response(JSON.stringify({ plans: [plan()] })));
    }));
    open('/pricing');
    await screen.findByRole('heading', { name: 'Plans and prices' });
    expect(document.querySelector('main [aria-busy="true"]')).not.toBeNull();
    act(() => answer());
    await screen.findByRole('table');
    expect(document.querySelector('main [aria-busy="true"]')).toBeNull();
  });
});
