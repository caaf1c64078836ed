import { describe, expect, it } from 'vitest';
import { ApiError, readProblem, Unreachable, type Problem } from '../api/problem';
import { berlin } from '../test/meters';
import { isRefusal, mayHaveSpent, refusalText } from './refusalText';

function problem(status: number, fields: Record<string, unknown>): Problem {
  return readProblem({ title: 'T', code: 'other', detail: 'D.', request_id: 'req_1', ...fields }, status)!;
}

const quota = problem(402, {
  code: 'quota_exceeded',
  detail: 'All 10 jobs of this period are used.',
  meter: 'jobs',
  used: 10,
  limit: 10,
  requested: 1,
  resets_at: '2026-11-30T23:00:00Z',
  fixes: [
    { kind: 'wait', text: 'Wait until 2026-12-01, 00:00.', at: '2026-11-30T23:00:00Z' },
    { kind: 'upgrade', text: 'Move to Pro.' },
  ],
});

describe('refusalText', () => {
  it('says what happened, the numbers, the date and the next steps of a used-up quota', () => {
    expect(refusalText(quota, berlin)).toEqual({
      heading: 'Jobs: the limit is reached',
      sentences: ['All 10 jobs of this period are used.', 'Nothing was spent.'],
      facts: [
        { term: 'Used', value: '10 of 10' },
        { term: 'Asked for', value: '1' },
        { term: 'Resets', value: '1 Dec, 00:00 Berlin' },
      ],
      steps: ['Wait until 1 Dec, 00:00 Berlin.', 'Move to Pro.'],
    });
  });

  it('shows amounts of bytes and seconds for people', () => {
    const full = problem(402, { code: 'quota_exceeded', meter: 'storage', used: 1e8, limit: 1e8, requested: 5e6 });
    expect(refusalText(full, berlin).facts.map((fact) => fact.value)).toEqual(['100 MB of 100 MB', '5 MB']);
  });

  it('always has a next step', () => {
    expect(refusalText({ ...quota, fixes: [] }, berlin).steps).toEqual(['Wait until 1 Dec, 00:00 Berlin.']);
    const rate = problem(429, { code: 'rate_limited', retry_after: 3 });
    expect(refusalText(rate, berlin)).toMatchObject({
      heading: 'Too many requests in a short time',
      facts: [{ term: 'Possible again', value: 'in 3 seconds' }],
      steps: ['Wait 3 seconds, then try again.'],
    });
    expect(refusalText(problem(403, {}), berlin).steps).toHaveLength(1);
  });

  it('has a heading for codes it does not know', () => {
    expect(refusalText(problem(403, { code: 'brand_new' }), berlin).heading).toBe('This was refused');
  });
});

describe('what an error means for the job', () => {
  it('is a refusal for 402, 403 and 429 only', () => {
    expect([402, 403, 429, 401, 409, 422, 503].map((status) => isRefusal(problem(status, {})))).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });

  it('is open only without a clear answer', () => {
    const answered = (status: number, code: string) => new ApiError(status, problem(status, { code }), null);
    expect(mayHaveSpent(new Unreachable('cut'))).toBe(true);
    expect(mayHaveSpent(new ApiError(502, null, null))).toBe(true);
    expect(mayHaveSpent(answered(503, 'outcome_unknown'))).toBe(true);
    expect(mayHaveSpent(answered(503, 'temporarily_unavailable'))).toBe(false);
    expect(mayHaveSpent(answered(402, 'quota_exceeded'))).toBe(false);
  });
});
