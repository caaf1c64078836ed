import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { network, open, problem } from '../../test/app';
import { operates } from '../../test/operators';
import { check } from '../../test/watch';

const HEALTH = 'GET /v1/admin/health';
const health = (state: 'ok' | 'near' | 'over', ...checks: object[]) =>
  [200, { as_of: '2026-11-23T13:03:12Z', state, checks }] as const;

describe('the health of the platform', () => {
  it('says of each check how it stands, in words, and what to do', async () => {
    network({
      ...operates(),
      [HEALTH]: health(
        'over',
        check(),
        check({ name: 'workers', state: 'over', found: 'No worker is alive.', what_to_do: 'Start one: `feature worker`.' }),
        check({ name: 'novelty', state: 'near', found: 'Something new.', what_to_do: 'Look.' }),
      ),
    });
    open('/admin/health', 'signed-in');
    expect(await screen.findByText('Something is broken')).toBeTruthy();
    const rows = screen.getAllByRole('row').slice(1).map((row) => Array.from(row.children, (cell) => cell.textContent));
    expect(rows).toEqual([
      ['Database', 'Well', 'PostgreSQL 18.1 answers in 0.8 ms.', 'Nothing'],
      ['Workers', 'Broken', 'No worker is alive.', 'Start one: `feature worker`.'],
      ['novelty', 'To be looked at', 'Something new.', 'Look.'],
    ]);
    expect(screen.getByText(/14:03:12 Berlin\. Asked anew every 15 seconds\.$/)).toBeTruthy();
  });

  it('says when it cannot be read, and is asked for again', async () => {
    let works = false;
    network({ ...operates(), [HEALTH]: () => (works ? health('ok', check()) : problem(503, 'temporarily_unavailable', 'Not now.')) });
    open('/admin/health', 'signed-in');
    expect(await screen.findByText('The health of the platform could not be read')).toBeTruthy();
    works = true;
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByText('Everything runs')).toBeTruthy();
  });
});
