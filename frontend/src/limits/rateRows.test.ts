import { describe, expect, it } from 'vitest';
import { berlin } from '../test/meters';
import { rateLimits } from '../test/plans';
import { rateRows } from './rateRows';

const api = (...changes: Parameters<typeof rateLimits>) => rateRows(rateLimits(...changes), berlin)[0];
const jobs = (inFlight: Parameters<typeof rateLimits>[1]) => rateRows(rateLimits({}, inFlight), berlin).at(-1);

describe('a rate limit in words', () => {
  it('says what is allowed, what is left and when all of it is there again, in the zone of the reader', () => {
    expect(api()).toEqual({
      key: 'api',
      name: 'API requests',
      allowed: '100 in 60 seconds, 50 at once',
      left: '47',
      full: '14:05:02',
    });
  });

  it('says that all of it is there where nothing is spent', () => {
    expect(api({ remaining: 50 })).toMatchObject({ left: '50', full: 'Now' });
  });

  it('never makes a number of what is not counted yet', () => {
    expect(api({ remaining: null, full_at: null })).toMatchObject({ left: 'Nothing counted yet', full: 'Now' });
  });

  it('says 0 where nothing is left', () => {
    expect(api({ remaining: 0 })).toMatchObject({ left: '0', full: '14:05:02' });
  });

  it('names a scope that it has no words for by its key', () => {
    const limits = rateLimits();
    const scopes = { bulk_import: limits.scopes.api! };
    expect(rateRows({ ...limits, scopes }, berlin)[0]?.name).toBe('bulk import');
  });
});

describe('the jobs at once in words', () => {
  it('are limited, and there again when a job ends', () => {
    expect(jobs({})).toMatchObject({ name: 'Jobs at once', allowed: '5', left: '3', full: 'when a job ends' });
  });

  it('are all there while none runs', () => {
    expect(jobs({ used: 0, remaining: 5 })).toMatchObject({ left: '5', full: 'Now' });
  });

  it('are told as running where there is no limit', () => {
    expect(jobs({ limit: null, used: 7, remaining: null })).toMatchObject({ allowed: 'Unlimited', left: '7 running' });
  });
});
