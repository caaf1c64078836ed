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
      sentences: ['There is no room for 1 more.', 'Nothing was spent.'],
      facts: [
        { term: 'Used', value: '10 of 10' },
        { term: 'Resets', value: '1 Dec, 00:00 Berlin' },
      ],
      steps: ['Wait until it resets.', 'Move to Pro.'],
    });
  });

  it('tells each moment once, in one zone and one form, and never in the server’s sentence', () => {
    const other = { ...quota, detail: 'It starts again on 2026-12-01 at 00:00 (UTC).' };
    const { sentences, facts, steps } = refusalText(other, berlin);
    const all = [...sentences, ...facts.map(({ value }) => value), ...steps].join(' ');
    expect(all).not.toContain('UTC');
    expect(all.split('1 Dec')).toHaveLength(2);
  });

  it('tells what is set aside, and when a slot is free before the reset', () => {
    const held = { ...quota, held: 2, fixes: [{ kind: 'wait', text: 'x', at: '2026-11-23T14:00:00Z' }] };
    expect(refusalText(held, berlin)).toMatchObject({
      sentences: ['2 are set aside by work that is running.', 'There is no room for 1 more.', 'Nothing was spent.'],
      steps: ['Wait until 23 Nov, 15:00 Berlin.'],
    });
  });

  it('sends who may not spend to an owner or admin, and not to whoever runs the service', () => {
    const role = problem(403, { code: 'role_missing', detail: 'Your role in this account is viewer.' });
    expect(refusalText(role, berlin)).toMatchObject({
      heading: 'Your role may not do that',
      steps: ['An owner or admin of this account can give you another role.'],
    });
  });

  it('shows amounts of bytes and seconds for people', () => {
    const full = problem(402, { code: 'quota_exceeded', meter: 'storage', used: 1e8, limit: 1e8, requested: 5e6 });
    expect(refusalText(full, berlin).facts.map((fact) => fact.value)).toEqual(['100 MB of 100 MB']);
    expect(refusalText(full, berlin).sentences[0]).toBe('There is no room for 5 MB more.');
  });

  it('always has a next step', () => {
    expect(refusalText({ ...quota, fixes: [] }, berlin).steps).toEqual(['Wait until it resets.']);
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
