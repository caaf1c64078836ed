import { MantineProvider } from '@mantine/core';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { Panel } from './Panel';

describe('Panel', () => {
  it('keeps what breaks inside it to itself, and comes back on another try', async () => {
    // React reports every caught error; here it is meant.
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    let broken = true;
    const Fragile = () => {
      if (broken) throw new Error('a number was missing');
      return <p>whole again</p>;
    };
    render(
      <MantineProvider>
        <Panel heading="One">
          <Fragile />
        </Panel>
        <Panel heading="Two">
          <p>unharmed</p>
        </Panel>
      </MantineProvider>,
    );
    expect(screen.getByRole('alert').textContent).toContain('This part of the page could not be shown');
    expect(screen.getByRole('region', { name: 'One' })).toBeTruthy();
    expect(screen.getByText('unharmed')).toBeTruthy();
    broken = false;
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(screen.getByText('whole again')).toBeTruthy();
  });
});
