import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { address, network, open, problem, type Call } from '../../test/app';
import { wire } from '../../test/live';
import { operates, OPERATOR_ID, USER_ID } from '../../test/operators';
import { done, refused } from '../../test/watch';
import { MOST_ROWS, NOTHING_SEEN, withHappenings } from './happenings';

const STREAM = 'GET /v1/admin/stream';
const ACCOUNT = '0199f0aa-0000-7000-8000-0000000000dd';
const asked = (calls: readonly Call[]) => calls.filter(({ route }) => route === STREAM).map(({ query }) => query);
const QUIET = ': quiet\n\n';

const lines = async () => {
  const table = within(await screen.findByRole('table', { name: 'Refusals and acts, newest first' }));
  return table.getAllByRole('row').slice(1).map((row) => row.textContent);
};

describe('the operators’ live view', () => {
  it('shows refusals of all and acts as text, and leads to who it was', async () => {
    const hostile = '<script>window.hit = true</script>';
    network({ ...operates(), [STREAM]: [200, wire(refused({ account_name: hostile, count: 1_204 }), done({ reason: hostile }))] });
    open('/admin/stream', 'signed-in');
    expect((await screen.findByRole('heading', { level: 1 })).textContent).toBe('Live');
    const [act, refusal] = await lines();
    expect(refusal).toContain('Refused: Jobs: the limit is reached8 of 10 used · 3 asked · 1,204 times · POST /v1/usage/consume · request req_31 Why?');
    expect(act).toContain(`user.lockuser ${USER_ID}${hostile}root@example.com`);
    expect(document.querySelector('main script')).toBeNull();
    const why = screen.getByRole('link', { name: `Why? Jobs: the limit is reached, ${hostile}` });
    expect(why.getAttribute('href')).toBe('/admin/decisions/019ab000-0000-7000-8000-000000000031');
    expect(screen.getByRole('link', { name: hostile }).getAttribute('href')).toBe(`/admin/users/${USER_ID}`);
    expect(screen.getByRole('link', { name: 'root@example.com' }).getAttribute('href')).toBe(`/admin/users/${OPERATOR_ID}`);
  });

  it('is narrowed by what the address says', async () => {
    const calls = network({ ...operates(), [STREAM]: [200, wire(refused())] });
    open('/admin/stream?code=quota_exceeded&only=wrong', 'signed-in');
    await lines();
    expect(asked(calls).at(-1)).toEqual({ code: 'quota_exceeded' });
    await userEvent.click(screen.getByRole('link', { name: 'Only Acme' }));
    await vi.waitFor(() => expect(address()).toBe(`/admin/stream?account=${ACCOUNT}`));
    await vi.waitFor(() => expect(asked(calls).at(-1)).toEqual({ account_id: ACCOUNT }));
    expect(screen.getByRole<HTMLInputElement>('textbox', { name: 'Account' }).value).toBe(ACCOUNT);
    await userEvent.selectOptions(screen.getByLabelText('Kind'), 'Acts');
    await vi.waitFor(() => expect(asked(calls).at(-1)).toEqual({ account_id: ACCOUNT, only: 'act' }));
    await userEvent.clear(screen.getByRole('textbox', { name: 'Account' }));
    await userEvent.type(screen.getByRole('textbox', { name: 'Account' }), 'Acme');
    await userEvent.click(screen.getByRole('button', { name: 'Show these' }));
    expect(screen.getByText('Enter the whole id of an account.')).toBeTruthy();
    await userEvent.click(screen.getByRole('button', { name: 'Show all' }));
    await vi.waitFor(() => expect(address()).toBe('/admin/stream'));
  });

  it('offers no acts to who may not read the log', async () => {
    network({ ...operates(['decisions.read']), [STREAM]: [200, QUIET] });
    open('/admin/stream', 'signed-in');
    expect(await screen.findByLabelText('Why')).toBeTruthy();
    expect(screen.queryByLabelText('Kind')).toBeNull();
  });

  it('says how much was left out, and that something is missing', async () => {
    const left = { kind: 'left_out', id: null, data: '{"count":1204,"is_exact":true}' };
    network({ ...operates(), [STREAM]: [200, wire(left, refused(), { kind: 'gap', id: null, data: '{"reason":"too_much"}' })] });
    open('/admin/stream', 'signed-in');
    expect(await screen.findByText(/^1,204 more happened/)).toBeTruthy();
    expect(screen.getByText('Something is missing here')).toBeTruthy();
  });

  it('asks nothing while it is paused, and says why it is refused', async () => {
    let allowed = true;
    const calls = network({
      ...operates(),
      [STREAM]: () => (allowed ? [200, QUIET] : problem(403, 'permission_missing', 'No more.')),
    });
    open('/admin/stream', 'signed-in');
    await userEvent.click(await screen.findByRole('button', { name: 'Pause' }));
    expect(screen.getByText(/^Nothing has happened in the last 15 minutes/)).toBeTruthy();
    const before = asked(calls).length;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(asked(calls)).toHaveLength(before);
    allowed = false;
    await userEvent.click(screen.getByRole('button', { name: 'Go on' }));
    expect(await screen.findByText('The live view could not be opened')).toBeTruthy();
  });
});

describe('what was seen', () => {
  it('has each once, the newest first, and no more than there is room for', () => {
    const ids = Array.from({ length: 250 }, (_, index) => `019ab000-0000-7000-8000-${String(index).padStart(12, '0')}`);
    const seen = withHappenings(NOTHING_SEEN, ids.map((id) => refused({ id })));
    expect(seen.rows).toHaveLength(MOST_ROWS);
    expect(seen.rows[0]?.id).toBe(ids.at(-1));
    const again = withHappenings(seen, [refused({ id: ids.at(-1)!, count: 2 })]);
    expect(again.rows).toHaveLength(MOST_ROWS);
  });

  it('counts what was left out, and knows when that is not all', () => {
    const left = (count: number, exact: boolean) => ({ kind: 'left_out', id: null, data: JSON.stringify({ count, is_exact: exact }) });
    const seen = withHappenings(NOTHING_SEEN, [left(3, true), left(4, false), left(5, true)]);
    expect([seen.leftOut, seen.isExact]).toEqual([12, false]);
  });
});
