import { act, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { usageQuery } from '../api/queries';
import { address, network, open, problem } from '../test/app';
import { me } from '../test/me';
import { meter, storage } from '../test/meters';
import { series } from '../test/series';

const USAGE = 'GET /v1/subscription/usage';
const projection = { low: 9, high: 12, at: '2026-11-30T23:00:00Z', limit_at: null };
const answers = {
  'GET /v1/auth/me': [200, me()],
  'GET /v1/usage/series': [200, series()],
  [USAGE]: [200, { usage: {}, meters: [meter({ projection }), storage] }],
} as const;

const all = async () => within(await screen.findByRole('region', { name: 'All meters' }));

describe('the usage', () => {
  it('shows every meter with where it leads, and the way to its page', async () => {
    network(answers);
    open('/app/usage', 'signed-in');
    expect((await screen.findByRole('heading', { level: 1 })).textContent).toBe('Usage');
    expect(await (await all()).findByText('4 of 10')).toBeTruthy();
    expect(screen.getByText(/^On pace for 9 to 12 by 30 Nov/)).toBeTruthy();
    expect(screen.getByText('84.2 MB now, of 100 MB')).toBeTruthy();
    expect(screen.getByText(/^As of .* Berlin\.$/)).toBeTruthy();
    await userEvent.click(screen.getByRole('link', { name: 'Jobs' }));
    expect((await screen.findByRole('heading', { level: 1, name: 'Jobs' }))).toBeTruthy();
    expect(address()).toBe('/app/usage/jobs');
  });

  it('keeps the place of its bars while it loads, and shows no number', async () => {
    network({ ...answers, [USAGE]: null });
    open('/app/usage', 'signed-in');
    const bars = within(await screen.findByRole('list', { name: 'Usage' }));
    expect(bars.getAllByRole('listitem')).toHaveLength(4);
    expect(bars.queryByText(/\d/)).toBeNull();
  });

  it('says so when the plan counts nothing', async () => {
    network({ ...answers, [USAGE]: [200, { usage: {}, meters: [] }] });
    open('/app/usage', 'signed-in');
    expect(await screen.findByText('This plan counts nothing, so there is no usage to show.')).toBeTruthy();
  });

  it('says what failed and that limits still apply, with the request id and another try', async () => {
    let works = false;
    network({ ...answers, [USAGE]: () => (works ? answers[USAGE] : problem(500, 'internal', 'Broken.')) });
    open('/app/usage', 'signed-in');
    const alert = within(await screen.findByRole('alert'));
    expect(alert.getByText(/Limits still apply/)).toBeTruthy();
    expect(alert.getByText('req_1')).toBeTruthy();
    works = true;
    await userEvent.click(alert.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByText('4 of 10')).toBeTruthy();
  });

  it('keeps its numbers when they cannot be refreshed, and says from when they are', async () => {
    let works = true;
    network({ ...answers, [USAGE]: () => (works ? answers[USAGE] : problem(503, 'temporarily_unavailable', 'Busy.')) });
    const loaded = open('/app/usage', 'signed-in');
    await screen.findByText('4 of 10');
    works = false;
    await act(() => loaded.refetchQueries({ queryKey: usageQuery.queryKey }));
    expect(await screen.findByText(/^These numbers were loaded at .* could not be refreshed/)).toBeTruthy();
    expect(screen.getByText('4 of 10')).toBeTruthy();
  });
});
