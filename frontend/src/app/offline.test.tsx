import { act, screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { network, open } from '../test/app';
import { me } from '../test/me';

const USAGE = 'GET /v1/subscription/usage';

function turn(online: boolean) {
  vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(online);
  act(() => {
    window.dispatchEvent(new Event(online ? 'online' : 'offline'));
  });
}

it('says that there is no network, and that limits still apply, until there is one', async () => {
  network({ 'GET /v1/auth/me': [200, me()], [USAGE]: null });
  open('/app', 'signed-in');
  await screen.findByRole('heading', { name: 'Overview' });
  expect(screen.queryByText('You are offline')).toBeNull();
  turn(false);
  const notice = screen.getByText('You are offline').closest('[role="status"]');
  expect(notice?.textContent).toContain('Limits still apply');
  turn(true);
  expect(screen.queryByText('You are offline')).toBeNull();
});

it('is told as the reason where nothing could be loaded', async () => {
  turn(false);
  network({ 'GET /v1/auth/me': [200, me()], [USAGE]: null });
  open('/app/limits', 'signed-in');
  const alert = (await screen.findByText('Your usage could not be loaded')).closest('[role="alert"]');
  expect(alert?.textContent).toContain('You are offline');
  expect(alert?.textContent).not.toContain('Check that it is running');
  turn(true);
});
