import { render, screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { MeterUsage } from '../api/types';
import { berlin, meter, storage } from '../test/meters';
import { UsageBar } from './UsageBar';

function draw(given: MeterUsage) {
  render(
    <ul>
      <UsageBar meter={given} reader={berlin} />
    </ul>,
  );
}

describe('UsageBar', () => {
  it('is a meter with its bounds, its value and a spoken text', () => {
    draw(meter({ used: 8, held: 1, remaining: 1 }));
    const bar = screen.getByRole('meter', { name: 'Jobs' });
    expect(bar.getAttribute('aria-valuemin')).toBe('0');
    expect(bar.getAttribute('aria-valuemax')).toBe('10');
    expect(bar.getAttribute('aria-valuenow')).toBe('8');
    expect(bar.getAttribute('aria-valuetext')).toContain('8 of 10 used, 80 percent, 1 held. Near the limit.');
    expect(Array.from(bar.children, (part) => (part as HTMLElement).style.width)).toEqual(['80%', '10%']);
  });

  it('shows word, held amount, share and reset beside the bar', () => {
    draw(meter({ used: 8, held: 1, remaining: 1 }));
    for (const text of ['Near the limit', '1 held', /^80\s%$/, 'resets 1 Dec, 00:00 Berlin', '8 of 10']) {
      expect(screen.getByText(text)).toBeTruthy();
    }
  });

  it('keeps its value within its bounds when more is used than the limit', () => {
    draw(meter({ used: 14, remaining: 0 }));
    expect(screen.getByRole('meter').getAttribute('aria-valuenow')).toBe('10');
    expect(screen.getByText('Over the limit')).toBeTruthy();
  });

  it('has no bar when unlimited', () => {
    draw(meter({ used: 1204, limit: null, remaining: null }));
    expect(screen.queryByRole('meter')).toBeNull();
    expect(screen.getByText('1,204, unlimited')).toBeTruthy();
  });

  it('says "now" for a gauge and tells no reset', () => {
    draw(storage);
    expect(screen.getByText('84.2 MB now, of 100 MB')).toBeTruthy();
    expect(screen.queryByText(/resets/)).toBeNull();
    // One line below the bar, and no empty one.
    expect(screen.getByRole('listitem').querySelectorAll('p')).toHaveLength(1);
  });

  it('says how a limit comes about that is not the plan’s own, and speaks of the one in force', () => {
    const override = {
      id: 'a',
      kind: 'add',
      amount: 50,
      starts_at: '2026-11-01T00:00:00Z',
      ends_at: null,
      reason: '<b>launch</b>',
    } as const;
    draw(meter({ limit: 550, plan_limit: 500, remaining: 546, overrides: [override] }));
    expect(screen.getByText('500 + 50 = 550')).toBeTruthy();
    expect(screen.getByText('<b>launch</b>').parentElement?.textContent).toBe(
      '50 more until it is taken back: <b>launch</b>',
    );
    expect(screen.getByRole('meter').getAttribute('aria-valuetext')).toContain('4 of 550 used');
  });
});
