import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { session } from '../api/client';
import { network, open, address, problem, tokens, type Call } from '../test/app';
import { challenge } from './challenge';

const needed = [200, { requires_2fa: true, challenge_id: 'chal_1' }] as const;
const wrong = problem(401, 'code_refused', 'This code is not right.');
const OTP = 'POST /v1/auth/2fa/verify';
const RECOVERY = 'POST /v1/auth/recovery-login';

const press = (name: string) => userEvent.click(screen.getByRole('button', { name }));

async function signInWithPassword() {
  open('/login');
  await userEvent.type(await screen.findByLabelText('E-mail address'), 'ada@example.com');
  await userEvent.type(screen.getByLabelText('Password'), 'correct horse battery');
  await press('Sign in');
  await screen.findByRole('heading', { name: 'Enter your code' });
}

function sentTo(calls: Call[], route: string) {
  return calls.filter((call) => call.route === route).map((call) => call.body);
}

describe('the second factor of a sign-in', () => {
  beforeEach(() => challenge.drop());

  it('follows the password, keeps the challenge out of the address, and signs in', async () => {
    const calls = network({ 'POST /v1/auth/login': needed, [OTP]: [200, tokens] });
    await signInWithPassword();
    expect(address()).toBe('/mfa');
    const field = screen.getByLabelText('Code');
    expect(field.getAttribute('inputmode')).toBe('numeric');
    expect(field.getAttribute('autocomplete')).toBe('one-time-code');
    await userEvent.type(field, '123 456');
    await press('Sign in');
    await vi.waitFor(() => expect(address()).toBe('/app'));
    expect(sentTo(calls, OTP)).toEqual([{ challenge_id: 'chal_1', otp: '123456' }]);
    expect(session.token).toBe('token');
    expect(challenge.held).toBeNull();
  });

  it('follows a sign-in link, too', async () => {
    network({ 'POST /v1/auth/sign-in-link': needed });
    open('/login?token=link_1');
    await screen.findByRole('heading', { name: 'Enter your code' });
    expect(address()).toBe('/mfa');
  });

  it('sends nothing that is not six digits', async () => {
    const calls = network({ 'POST /v1/auth/login': needed });
    await signInWithPassword();
    await userEvent.type(screen.getByLabelText('Code'), '12a45');
    await press('Sign in');
    expect(await screen.findByText('Enter the six digits of the code.')).toBeTruthy();
    expect(sentTo(calls, OTP)).toEqual([]);
  });

  it('says that a code is wrong, and takes another', async () => {
    let tries = 0;
    network({ 'POST /v1/auth/login': needed, [OTP]: () => (++tries === 1 ? wrong : [200, tokens]) });
    await signInWithPassword();
    await userEvent.type(screen.getByLabelText('Code'), '111111');
    await press('Sign in');
    expect(await screen.findByText(/^This code is not right\./)).toBeTruthy();
    const field = screen.getByLabelText('Code');
    expect(field.getAttribute('aria-invalid')).toBe('true');
    await userEvent.clear(field);
    expect(screen.queryByText(/^This code is not right\./)).toBeNull();
    await userEvent.type(field, '222222');
    await press('Sign in');
    await vi.waitFor(() => expect(address()).toBe('/app'));
  });

  it.each([
    problem(401, 'challenge_invalid', 'This challenge is too old.'),
    problem(429, 'too_many_attempts', '10 codes were tried for this challenge.'),
  ])('ends with %i %j and leads back to sign-in', async (...answer) => {
    network({ 'POST /v1/auth/login': needed, [OTP]: [answer[0], answer[1]] });
    await signInWithPassword();
    await userEvent.type(screen.getByLabelText('Code'), '111111');
    await press('Sign in');
    const alert = await screen.findByRole('alert');
    // The field is gone; the focus goes to what took its place.
    expect(document.activeElement).toBe(screen.getByRole('heading', { name: 'This sign-in is over' }));
    expect(alert.textContent).toContain((answer[1] as { detail: string }).detail);
    expect(screen.queryByLabelText('Code')).toBeNull();
    expect(challenge.held).toBeNull();
    await userEvent.click(screen.getByRole('link', { name: 'Back to sign-in' }));
    await screen.findByRole('heading', { name: 'Sign in' });
  });

  it.each([
    ['no answer', null, 'The server does not answer'],
    ['a rate limit', problem(429, 'rate_limited', 'Wait 3 s.'), 'Wait 3 s.'],
  ])('keeps the form at %s', async (_name, answer, said) => {
    network({ 'POST /v1/auth/login': needed, [OTP]: answer });
    await signInWithPassword();
    await userEvent.type(screen.getByLabelText('Code'), '111111');
    await press('Sign in');
    expect((await screen.findByRole('alert')).textContent).toContain(said);
    expect(screen.getByLabelText<HTMLInputElement>('Code').value).toBe('111111');
    expect(challenge.held).toBe('chal_1');
  });

  it('takes a recovery code instead', async () => {
    let tries = 0;
    const calls = network({
      'POST /v1/auth/login': needed,
      [RECOVERY]: () => (++tries === 1 ? wrong : [200, tokens]),
    });
    await signInWithPassword();
    await press('Use a recovery code');
    const field = screen.getByLabelText('Recovery code');
    expect(document.activeElement).toBe(field);
    await userEvent.type(field, 'ABCD-EFGH');
    await press('Sign in');
    expect(await screen.findByText(/^This recovery code is not right/)).toBeTruthy();
    await userEvent.clear(field);
    await userEvent.type(field, 'JKLM-NPQR');
    await press('Sign in');
    await vi.waitFor(() => expect(address()).toBe('/app'));
    expect(sentTo(calls, RECOVERY)).toEqual([
      { challenge_id: 'chal_1', recovery_code: 'ABCD-EFGH' },
      { challenge_id: 'chal_1', recovery_code: 'JKLM-NPQR' },
    ]);
    expect(sentTo(calls, OTP)).toEqual([]);
  });

  it('leads to sign-in when there is no challenge', async () => {
    network({});
    open('/mfa');
    await screen.findByRole('heading', { name: 'Sign in' });
    expect(address()).toBe('/login');
  });
});
