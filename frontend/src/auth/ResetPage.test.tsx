import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { session } from '../api/client';
import { address, network, open, problem } from '../test/app';

const RESET = 'POST /v1/auth/reset-password';
const FORGOT = 'POST /v1/auth/forgot-password';
const done = [200, { message: 'Done.' }] as const;

async function choose(password: string) {
  const field = await screen.findByLabelText('New password');
  await userEvent.clear(field);
  await userEvent.type(field, password);
  await userEvent.click(screen.getByRole('button', { name: 'Change the password' }));
}

describe('choosing a new password', () => {
  it.each(['signed-out', 'signed-in'] as const)('works for somebody %s, who is signed out afterwards', async (reader) => {
    const calls = network({ [RESET]: done });
    open('/reset?token=0123', reader);
    await choose('a new pass phrase');
    expect(await screen.findByText('Your password is changed. You were signed out everywhere.')).toBeTruthy();
    expect(calls.filter(({ route }) => route === RESET).map(({ body }) => body)).toEqual([
      { token: '0123', new_password: 'a new pass phrase' },
    ]);
    expect(session.status).toBe('signed-out');
    await userEvent.click(screen.getByRole('link', { name: 'Sign in' }));
    await vi.waitFor(() => expect(address()).toBe('/login'));
  });

  it('shows the rule, and sends nothing that breaks it', async () => {
    const calls = network({ [RESET]: done });
    open('/reset?token=t');
    await choose('short');
    expect(screen.getByText('12 to 128 characters, of any kind.')).toBeTruthy();
    expect(screen.getByText('5 characters so far: at least 12 are needed.')).toBeTruthy();
    expect(calls).toEqual([]);
  });

  it("shows the server's sentence at the field until another password is entered", async () => {
    network({ [RESET]: problem(422, 'invalid_input', 'new_password: This password is among the most common.') });
    open('/reset?token=t', 'signed-in');
    await choose('passwordpassword');
    const sentence = await screen.findByText('This password is among the most common.');
    const field = screen.getByLabelText('New password');
    expect(field.getAttribute('aria-describedby')).toContain(sentence.id);
    expect(session.status).toBe('signed-in');
    await userEvent.type(field, 'x');
    expect(screen.queryByText('This password is among the most common.')).toBeNull();
  });

  it('says that a link is no good, and leads to a new one', async () => {
    network({ [RESET]: problem(400, 'link_invalid', 'This link is unknown, used or too old.') });
    open('/reset?token=t');
    await choose('a new pass phrase');
    expect((await screen.findByRole('alert')).textContent).toContain('A link works once, within an hour');
    expect(screen.queryByLabelText('New password')).toBeNull();
    await userEvent.click(screen.getByRole('link', { name: 'Get a new link' }));
    await vi.waitFor(() => expect(address()).toBe('/forgot'));
  });

  it('keeps the form when there is no answer', async () => {
    network({ [RESET]: null });
    open('/reset?token=t');
    await choose('a new pass phrase');
    expect((await screen.findByRole('alert')).textContent).toContain('The server does not answer');
    expect(screen.getByLabelText<HTMLInputElement>('New password').value).toBe('a new pass phrase');
  });

  it('leads to a new link when the address has no token', async () => {
    network({});
    open('/reset');
    await screen.findByRole('heading', { name: 'Forgot your password?' });
    expect(address()).toBe('/forgot');
  });
});

describe('asking for a link', () => {
  async function ask() {
    open('/login');
    await userEvent.click(await screen.findByRole('link', { name: 'Forgot your password?' }));
    await userEvent.type(await screen.findByLabelText('E-mail address'), ' ada@example.com ');
    await userEvent.click(screen.getByRole('button', { name: 'Send the link' }));
  }

  it('answers the same for every address, and shows the development mailbox', async () => {
    const calls = network({
      [FORGOT]: [202, { message: 'If the address is known, a message is on its way.' }],
      'GET /health': [200, { status: 'ok', environment: 'development' }],
    });
    await ask();
    await screen.findByRole('heading', { name: 'Check your mail' });
    expect(screen.getByText(/^If ada@example\.com belongs to an account/)).toBeTruthy();
    expect(calls.find(({ route }) => route === FORGOT)?.body).toEqual({ email: 'ada@example.com' });
    const mailbox = await screen.findByRole('link', { name: 'Open the development mailbox' });
    expect(mailbox.getAttribute('href')).toBe('/dev/mail?to=ada%40example.com');
    await userEvent.click(screen.getByRole('button', { name: 'Nothing arrived? Ask again' }));
    expect(screen.getByLabelText<HTMLInputElement>('E-mail address').value).toBe('ada@example.com');
  });

  it('says when it did not work', async () => {
    network({ [FORGOT]: problem(429, 'too_many_attempts', 'Too many attempts. Try again in 900 s.') });
    await ask();
    expect((await screen.findByRole('alert')).textContent).toContain('Try again in 900 s.');
  });
});
