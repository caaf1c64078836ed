import { screen, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { network, open, problem } from '../test/app';
import { denial } from '../test/decisions';
import { me } from '../test/me';
import { meter } from '../test/meters';

const LIST = 'GET /v1/decisions';
const basis = {
  'GET /v1/auth/me': [200, me()],
  'GET /v1/subscription/usage': [200, { usage: {}, meters: [meter()] }],
} as const;
const recent = async () => within(await screen.findByRole('region', { name: 'Refused of late' }));

describe('the overview', () => {
  it('shows what was refused last, and leads to why and to the rest', async () => {
    const items = ['4', '3', '2', '1'].map((id) => denial({ id }));
    network({ ...basis, [LIST]: [200, { items, next: null }] });
    open('/app', 'signed-in');
    const panel = await recent();
    const links = await panel.findAllByRole('link', { name: 'Jobs: the limit is reached' });
    expect(links.map((link) => link.getAttribute('href'))).toEqual(['4', '3', '2'].map((id) => `/app/requests/${id}`));
    expect(panel.getByRole('link', { name: 'See all that was refused' }).getAttribute('href')).toBe('/app/requests');
  });

  it('says that nothing was refused', async () => {
    network({ ...basis, [LIST]: [200, { items: [], next: null }] });
    open('/app', 'signed-in');
    const panel = await recent();
    expect(await panel.findByText('Nothing was refused.')).toBeTruthy();
    expect(panel.queryByRole('link')).toBeNull();
  });

  it('says so where it is not known', async () => {
    network({ ...basis, [LIST]: problem(503, 'temporarily_unavailable', 'Not now.') });
    open('/app', 'signed-in');
    const panel = await recent();
    expect(await panel.findByText('The refused requests could not be loaded')).toBeTruthy();
  });
});
