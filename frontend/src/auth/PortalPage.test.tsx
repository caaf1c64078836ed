import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { session } from '../api/client';
import { address, network, open, problem, tokens } from '../test/app';

const PORTAL = 'POST /v1/auth/portal-link';

describe('a portal link', () => {
  it.each(['signed-out', 'signed-in'] as const)('is handed in once and signs in somebody %s', async (reader) => {
    const calls = network({ [PORTAL]: [200, tokens] });
    open('/portal?token=p_1', reader);
    await vi.waitFor(() => expect(address()).toBe('/app'));
    expect(calls.filter(({ route }) => route === PORTAL).map(({ body }) => body)).toEqual([{ token: 'p_1' }]);
    expect(session.token).toBe('token');
  });

  it('that is refused says how long one works, and offers no second try', async () => {
    network({ [PORTAL]: problem(400, 'link_invalid', 'This link is unknown, used or too old.') });
    open('/portal?token=p_2');
    const alert = await screen.findByRole('alert');
    expect(alert.textContent).toContain('The link works once and for five minutes.');
    expect(screen.queryByRole('button', { name: 'Try again' })).toBeNull();
    expect(session.status).toBe('signed-out');
  });

  it('that got no answer may be tried again', async () => {
    let tries = 0;
    network({ [PORTAL]: () => (++tries === 1 ? problem(503, 'temporarily_unavailable', 'Busy.') : [200, tokens]) });
    open('/portal?token=p_3');
    await userEvent.click(await screen.findByRole('button', { name: 'Try again' }));
    await vi.waitFor(() => expect(address()).toBe('/app'));
  });

  it('without a token leads to sign-in', async () => {
    network({});
    open('/portal');
    await vi.waitFor(() => expect(address()).toBe('/login'));
  });
});
