import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { createMemoryHistory, RouterProvider } from '@tanstack/react-router';
import { render } from '@testing-library/react';
import { StrictMode } from 'react';
import { onTestFinished, vi } from 'vitest';
import { acting } from '../api/acting';
import { impersonating, session, stopActingOnLeave } from '../api/client';
import { ending } from '../api/ending';
import { resetOnActing, resetOnSwitch } from '../app/accountData';
import { cookieColorSchemeManager } from '../app/colorSchemeManager';
import { routerOn } from '../app/router';
import { challenge } from '../auth/challenge';

/** A body that is text goes out as it is. */
type Answer = readonly [status: number, body: object | string];

export interface Call {
  readonly route: string;
  /** What its address asks, by name. */
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly account: string | null;
  readonly authorization: string | null;
}

export const tokens = { access_token: 'token', refresh_token: null, token_type: 'bearer', expires_in: 900 };

export function problem(status: number, code: string, detail: string): Answer {
  return [status, { title: `Title of ${code}`, code, detail, request_id: 'req_1' }];
}

/** The network: an answer by "POST /v1/…", or none where it is null; all else is refused. Returns what was sent. */
export function network(answers: Record<string, Answer | null | ((call: Call) => Answer)>): Call[] {
  const calls: Call[] = [];
  vi.stubGlobal('fetch', async (request: Request) => {
    const { pathname, searchParams } = new URL(request.url);
    const route = `${request.method} ${pathname}`;
    const query = Object.fromEntries(searchParams);
    const sent = await request.text();
    const body: unknown = sent === '' ? null : JSON.parse(sent);
    const account = request.headers.get('Feature-Account');
    const call = { route, query, body, account, authorization: request.headers.get('Authorization') };
    calls.push(call);
    const found = answers[route];
    const answer = typeof found === 'function' ? found(call) : found;
    if (answer === null) throw new TypeError('Failed to fetch');
    const [status, content] = answer ?? problem(503, 'temporarily_unavailable', 'Not part of this test.');
    return new Response(typeof content === 'string' ? content : JSON.stringify(content), { status });
  });
  return calls;
}

// jsdom has no place to scroll to; the router goes to the top of each page.
for (const target of [window, document.defaultView]) Object.assign(target ?? {}, { scrollTo: () => undefined });

let router: ReturnType<typeof routerOn>;

/** Draws the app at an address, for nobody or for somebody who is signed in. Returns what it has loaded. */
export function open(path: string, reader: 'signed-in' | 'signed-out' = 'signed-out'): QueryClient {
  acting.forget();
  if (reader === 'signed-in') session.signIn('token of before');
  else session.signOut();
  const queryClient = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  router = routerOn(createMemoryHistory({ initialEntries: [path] }));
  const stops = [
    session.subscribe(() => void router.invalidate()),
    resetOnSwitch(queryClient),
    resetOnActing(queryClient),
    stopActingOnLeave(),
  ];
  onTestFinished(() => {
    stops.forEach((stop) => stop());
    // What the page knew of its reader.
    ending.note(null);
    challenge.drop();
    if (impersonating.held !== null) impersonating.end(impersonating.held.token, 'left');
    impersonating.read();
  });
  render(
    <StrictMode>
      <MantineProvider env="test" colorSchemeManager={cookieColorSchemeManager()}>
        <QueryClientProvider client={queryClient}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
  return queryClient;
}

/** Where the reader is, with all that the address says. */
export const address = () => router.state.location.href;
