import { describe, expect, it } from 'vitest';
import { isOwnPath, placeOf } from './place';

describe('the page to go to after a sign-in', () => {
  it.each(['/app', '/app/limits', '/app/usage?meter=jobs', '/admin', '/admin/decisions?q=req_1'])('may be %s', (next) => expect(isOwnPath(next)).toBe(true));

  it.each([
    'https://elsewhere.example/app',
    '//elsewhere.example/app',
    '/\\elsewhere.example/app',
    '/app/../login',
    '/app/../apple',
    '/admin/..//elsewhere.example',
    '//admin/users',
    '/apple',
    '/administer',
    '/login',
    'javascript:alert(1)',
    '',
    null,
    undefined,
    7,
  ])('is never %j', (next) => expect(isOwnPath(next)).toBe(false));

  it('keeps what the address asks for', () => {
    expect(placeOf('/app/usage?meter=jobs')).toEqual({ to: '/app/usage', search: { meter: 'jobs' } });
    expect(placeOf('//elsewhere.example')).toEqual({ to: '/app', search: {} });
  });
});
