import { describe, expect, it } from 'vitest';
import { decisionsSearch, refusalsOf } from './decisionsSearch';

const USER = '0199f0aa-0000-7000-8000-0000000000cc';

describe('the address of the list', () => {
  it('holds what is known, trimmed, and leaves the rest out', () => {
    const said = { q: ' req_1 ', code: 'quota_exceeded', meter: 'jobs', account: 'external:acme', user: USER, from: '2026-11-23' };
    expect(decisionsSearch({ ...said, until: '2026-02-30', page: 3 })).toEqual({ ...said, q: 'req_1' });
    expect(decisionsSearch({ q: ' ', code: 'x', meter: 7, account: 'a\0', user: 'me' })).toEqual({});
  });

  it('holds the beginning of a key, and never a secret', () => {
    expect(decisionsSearch({ q: '  fk_live_abcdefGHIJKL' })).toEqual({ q: 'fk_live_abcdef' });
  });

  it('is asked for under the names of the API', () => {
    expect(refusalsOf({ q: 'a', account: 'b', user: USER, from: '2026-11-23', until: '2026-11-23' }, 'Europe/Berlin')).toEqual({
      q: 'a',
      account_id: 'b',
      user_id: USER,
      from: '2026-11-22T23:00:00.000Z',
      to: '2026-11-23T23:00:00.000Z',
    });
  });
});
