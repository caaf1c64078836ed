import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  RouterContextProvider,
} from '@tanstack/react-router';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { session } from '../api/client';
import { meQuery } from '../api/queries';
import type { Me } from '../api/types';
import { me } from '../test/me';
import { berlin } from '../test/meters';
import { SpendPanel } from './SpendPanel';

interface Sent {
  readonly meter: string;
  readonly amount: number;
  readonly idempotency_key: string;
}

let sent: Sent[];

/** Answers of the network, one for each request; null is a connection that breaks. */
function network(...answers: (readonly [status: number, body: object] | null)[]): void {
  sent = [];
  vi.stubGlobal('fetch', async (request: Request) => {
    sent.push((await request.json()) as Sent);
    const answer = answers[sent.length - 1] ?? null;
    if (answer === null) throw new TypeError('Failed to fetch');
    return new Response(JSON.stringify(answer[1]), { status: answer[0] });
  });
}

function draw(reader?: Me) {
  const queries = new QueryClient();
  if (reader) queries.setQueryData(meQuery.queryKey, reader);
  const root = createRootRoute();
  const routeTree = root.addChildren([createRoute({ getParentRoute: () => root, path: '/app' })]);
  const router = createRouter({ routeTree, history: createMemoryHistory() });
  render(
    <MantineProvider>
      <QueryClientProvider client={queries}>
        <RouterContextProvider router={router}>
          <SpendPanel reader={berlin} />
        </RouterContextProvider>
      </QueryClientProvider>
    </MantineProvider>,
  );
}

const spend = () => userEvent.click(screen.getByRole('button', { name: 'Spend one job' }));

const spent = [200, { allowed: true, meter: 'jobs', used: 4, held: 0, limit: 10, remaining: 6, fixes: [] }] as const;

function refused(upgradeUrl: string) {
  const problem = {
    title: 'The limit is reached',
    code: 'quota_exceeded',
    detail: 'All 10 jobs of this period are used.',
    request_id: 'req_7',
    decision_id: '019ab000-0000-7000-8000-000000000009',
    meter: 'jobs',
    used: 10,
    limit: 10,
    requested: 1,
    resets_at: '2026-11-30T23:00:00Z',
    fixes: [{ kind: 'upgrade', text: 'Move to Pro.' }],
    upgrade_url: upgradeUrl,
  };
  return [402, problem] as const;
}

describe('SpendPanel', () => {
  beforeEach(() => session.signIn('token'));

  it('spends one job and says what is left', async () => {
    network(spent);
    draw();
    await spend();
    expect(await screen.findByText('4 of 10 used, 6 left.')).toBeTruthy();
    expect(sent[0]).toMatchObject({ meter: 'jobs', amount: 1 });
  });

  it('explains a 402 and leaves the user signed in', async () => {
    network(refused('/app'));
    draw();
    await spend();
    const alert = await screen.findByRole('alert');
    for (const text of ['Jobs: the limit is reached', '10 of 10', '1 Dec, 00:00 Berlin', 'Move to Pro.', 'req_7']) {
      expect(alert.textContent).toContain(text);
    }
    expect(screen.getByRole('link', { name: 'See the plans' }).getAttribute('href')).toBe('/app/plans');
    const why = screen.getByRole('link', { name: 'See rule by rule why' });
    expect(why.getAttribute('href')).toBe('/app/requests/019ab000-0000-7000-8000-000000000009');
    expect(session.status).toBe('signed-in');
  });

  it.each(['javascript:alert(1)', 'http://['])('offers no link to %s', async (address) => {
    network(refused(address));
    draw();
    await spend();
    await screen.findByRole('alert');
    expect(screen.queryByRole('link', { name: 'See the plans' })).toBeNull();
  });

  it('offers no second try for an account that is gone, for it would spend for another', async () => {
    network([404, { title: 'No such account', code: 'account_unknown', detail: 'No.' }]);
    draw();
    await spend();
    expect((await screen.findByRole('alert')).textContent).toContain('Nothing was spent');
    expect(screen.queryByRole('button', { name: 'Try again' })).toBeNull();
  });

  it.each(['viewer', 'billing'] as const)('says to a %s who can give them a role that spends', (role) => {
    network();
    draw(me({ account: { ...me().account, name: 'Acme', role } }));
    const button = screen.getByRole<HTMLButtonElement>('button', { name: 'Spend one job' });
    expect(button.disabled).toBe(true);
    expect(screen.getByText(/An owner or admin of Acme can give you another one/)).toBeTruthy();
  });

  it('repeats the same identity until an answer is clear, and takes a new one afterwards', async () => {
    network(null, [502, {}], spent, spent);
    draw();
    await spend();
    await screen.findByText('It is not known whether the job was spent');
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    await vi.waitFor(() => expect(sent).toHaveLength(2));
    await userEvent.click(await screen.findByRole('button', { name: 'Try again' }));
    await screen.findByText('One job spent.');
    await spend();
    await vi.waitFor(() => expect(sent).toHaveLength(4));
    const keys = sent.map((request) => request.idempotency_key);
    expect(new Set(keys.slice(0, 3)).size).toBe(1);
    expect(keys[3]).not.toBe(keys[0]);
  });
});
