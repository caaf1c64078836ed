import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { network, open, problem, type Call } from '../test/app';
import { me } from '../test/me';

const INIT = 'POST /v1/auth/2fa/enable-init';
const COMPLETE = 'POST /v1/auth/2fa/enable-complete';
const DISABLE = 'POST /v1/auth/2fa/disable';
const done = [200, { message: 'Done.' }] as const;
const basis = { 'GET /v1/auth/me': [200, me()], 'GET /v1/auth/sessions': [200, { items: [] }] } as const;

const panel = async (name: string) => within(await screen.findByRole('region', { name }));
const bodies = (calls: readonly Call[], route: string) => calls.filter((call) => call.route === route).map(({ body }) => body);

describe('the second factor', () => {
  const enrolment = { secret: 'ABCDEFGH', otpauth_url: 'otpauth://x', qr_svg: '<svg></svg>', challenge_id: 'c1' };
  const codes = Array.from({ length: 10 }, (_, number) => `CODE-${number}`);

  it('is on after a right code, and the recovery codes are kept before the page goes on', async () => {
    let confirmed = false;
    const calls = network({
      ...basis,
      'GET /v1/auth/me': () => [200, me(confirmed ? { mfa_enabled: true, recovery_codes_left: 10 } : {})],
      [INIT]: [200, enrolment],
      [COMPLETE]: ({ body }) => {
        if ((body as { otp: string }).otp !== '123456') return problem(400, 'proof_refused', 'No.');
        confirmed = true;
        return [200, { recovery_codes: codes }];
      },
    });
    open('/app/settings/security', 'signed-in');
    const factor = await panel('Two-factor sign-in');
    await userEvent.click(factor.getByRole('button', { name: 'Set up two-factor sign-in' }));
    const picture = await factor.findByRole('img');
    expect(decodeURIComponent(picture.getAttribute('src') ?? '')).toContain('xmlns="http://www.w3.org/2000/svg"');
    expect(factor.getByText('ABCD EFGH')).toBeTruthy();
    const field = factor.getByRole('textbox');
    await userEvent.type(field, '12');
    await userEvent.click(factor.getByRole('button', { name: 'Turn on' }));
    expect(factor.getByText('Enter the six digits that the app shows.')).toBeTruthy();
    await userEvent.type(field, '0000');
    await userEvent.click(factor.getByRole('button', { name: 'Turn on' }));
    expect(await factor.findByText('This code is not right. Enter the newest one.')).toBeTruthy();
    await userEvent.clear(field);
    await userEvent.type(field, '123 456');
    await userEvent.click(factor.getByRole('button', { name: 'Turn on' }));
    expect((await factor.findAllByRole('listitem')).map((item) => item.textContent)).toEqual(codes);
    expect(bodies(calls, COMPLETE)).toEqual([
      { challenge_id: 'c1', otp: '120000' },
      { challenge_id: 'c1', otp: '123456' },
    ]);
    const goOn = factor.getByRole('button', { name: 'Done' });
    expect(goOn).toHaveProperty('disabled', true);
    await userEvent.click(factor.getByLabelText('I have kept them'));
    await userEvent.click(goOn);
    expect(await factor.findByText(/10 recovery codes left/)).toBeTruthy();
    expect(screen.queryByText(codes[0] ?? '')).toBeNull();
  });

  it('warns of few codes, and is turned off with the password', async () => {
    let on = true;
    const calls = network({
      ...basis,
      'GET /v1/auth/me': () => [200, me(on ? { mfa_enabled: true, recovery_codes_left: 2 } : {})],
      [DISABLE]: ({ body }) => {
        if ((body as { password: string }).password !== 'right') return problem(400, 'proof_refused', 'No.');
        on = false;
        return done;
      },
    });
    open('/app/settings/security', 'signed-in');
    const factor = await panel('Two-factor sign-in');
    expect(await factor.findByText(/Few recovery codes are left/)).toBeTruthy();
    await userEvent.click(factor.getByRole('button', { name: 'Turn off two-factor sign-in' }));
    const field = factor.getByLabelText('Password');
    await userEvent.type(field, 'wrong');
    await userEvent.click(factor.getByRole('button', { name: 'Turn off two-factor sign-in' }));
    expect(await factor.findByText('This is not your password.')).toBeTruthy();
    await userEvent.clear(field);
    await userEvent.type(field, 'right');
    await userEvent.click(factor.getByRole('button', { name: 'Turn off two-factor sign-in' }));
    expect(await factor.findByText('Off. Signing in takes your password alone.')).toBeTruthy();
    expect(bodies(calls, DISABLE)).toEqual([{ password: 'wrong' }, { password: 'right' }]);
  });

  it('is turned off by a code, or by a recovery code, where there is no password', async () => {
    const user = me({ mfa_enabled: true, recovery_codes_left: 9, has_password: false });
    const calls = network({
      ...basis,
      'GET /v1/auth/me': [200, user],
      [DISABLE]: ({ body }) => ('otp' in (body as object) ? problem(400, 'proof_refused', 'No.') : done),
    });
    open('/app/settings/security', 'signed-in');
    const factor = await panel('Two-factor sign-in');
    const turnOff = () => userEvent.click(factor.getByRole('button', { name: 'Turn off two-factor sign-in' }));
    await userEvent.click(await factor.findByRole('button', { name: 'Turn off two-factor sign-in' }));
    expect(factor.queryByLabelText('Password')).toBeNull();
    expect(factor.queryByRole('button', { name: 'Use your password instead' })).toBeNull();
    await turnOff();
    expect(factor.getByText('Enter the six digits of the code.')).toBeTruthy();
    await userEvent.type(factor.getByLabelText('Code'), '123456');
    await turnOff();
    expect(await factor.findByText(/^This code is not right, or it was used before/)).toBeTruthy();
    await userEvent.click(factor.getByRole('button', { name: 'Use a recovery code instead' }));
    await userEvent.type(factor.getByLabelText('Recovery code'), ' ABCD-EFGH ');
    await turnOff();
    await factor.findByRole('button', { name: 'Get new recovery codes' });
    expect(bodies(calls, DISABLE)).toEqual([{ otp: '123456' }, { recovery_code: 'ABCD-EFGH' }]);
  });

  it('gives new recovery codes for the password or a code', async () => {
    const RENEW = 'POST /v1/auth/2fa/recovery-codes';
    const calls = network({
      ...basis,
      'GET /v1/auth/me': [200, me({ mfa_enabled: true, recovery_codes_left: 1 })],
      [RENEW]: ({ body }) =>
        'otp' in (body as object) ? [200, { recovery_codes: codes }] : problem(400, 'proof_refused', 'No.'),
    });
    open('/app/settings/security', 'signed-in');
    const factor = await panel('Two-factor sign-in');
    const renew = () => userEvent.click(factor.getByRole('button', { name: 'Get new recovery codes' }));
    await userEvent.click(await factor.findByRole('button', { name: 'Get new recovery codes' }));
    await userEvent.type(factor.getByLabelText('Password'), 'wrong');
    await renew();
    expect(await factor.findByText('This is not your password.')).toBeTruthy();
    await userEvent.click(factor.getByRole('button', { name: 'Use a code from the authenticator app instead' }));
    await userEvent.type(factor.getByLabelText('Code'), '123 456');
    await renew();
    expect((await factor.findAllByRole('listitem')).map((item) => item.textContent)).toEqual(codes);
    expect(bodies(calls, RENEW)).toEqual([{ current_password: 'wrong' }, { otp: '123456' }]);
  });

  it('asks for the password first where the sign-in is long ago', async () => {
    const calls = network({
      ...basis,
      [INIT]: ({ body }) =>
        (body as { current_password: string | null }).current_password === null
          ? problem(403, 'proof_needed', 'Send your password.')
          : [200, enrolment],
    });
    open('/app/settings/security', 'signed-in');
    const factor = await panel('Two-factor sign-in');
    await userEvent.click(factor.getByRole('button', { name: 'Set up two-factor sign-in' }));
    await userEvent.type(await factor.findByLabelText('Password'), 'right');
    expect(factor.queryByRole('alert')).toBeNull();
    await userEvent.click(factor.getByRole('button', { name: 'Go on' }));
    await factor.findByRole('img');
    expect(bodies(calls, INIT)).toEqual([{ current_password: null }, { current_password: 'right' }]);
  });
});
