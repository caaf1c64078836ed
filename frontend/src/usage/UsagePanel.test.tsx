import { screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { network, open } from '../test/app';
import { me } from '../test/me';
import { meter, storage } from '../test/meters';

describe('UsagePanel', () => {
  it('says once from when its numbers are, in which zone, by the oldest of them', async () => {
    const meters = [meter({ as_of: '2020-11-23T13:03:12Z' }), { ...storage, as_of: '2020-11-23T13:03:11Z' }];
    network({
      'GET /v1/auth/me': [200, me()],
      'GET /v1/subscription/usage': [200, { usage: {}, limits: {}, meters }],
    });
    open('/app/limits', 'signed-in');
    expect(await screen.findByText('As of 23 Nov 2020, 14:03:11 Berlin.')).toBeTruthy();
    expect(screen.getAllByText(/as of/i)).toHaveLength(1);
  });
});
