import { describe, expect, it } from 'vitest';
import { answerOf, ApiError, readProblem, Unreachable } from './problem';

describe('readProblem', () => {
  it('reads what it knows and drops what does not fit', () => {
    const problem = readProblem(
      { title: 'T', code: 'c', detail: 'D', request_id: 'req_1', used: 10, limit: '10', fixes: [{ kind: 'wait', text: 'W' }, 5, {}] },
      402,
    );
    expect(problem).toMatchObject({ title: 'T', code: 'c', status: 402, requestId: 'req_1', used: 10, limit: null });
    expect(problem?.fixes).toEqual([{ kind: 'wait', text: 'W', at: null }]);
  });

  it.each([null, 'Bad gateway', 5, [], {}, { title: 'T' }])('is null for %j', (body) => {
    expect(readProblem(body, 502)).toBeNull();
  });
});

describe('answerOf', () => {
  it('gives the body of a success', async () => {
    expect(await answerOf(Promise.resolve({ data: 5, response: new Response() }))).toBe(5);
  });

  it('throws what the server says, with the request id of the header when the body has none', async () => {
    const response = new Response(null, { status: 502, headers: { 'X-Request-Id': 'req_2' } });
    const error = await answerOf(Promise.resolve({ error: 'Bad gateway', response })).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 502, problem: null, requestId: 'req_2' });
  });

  it('tells no answer from a refusal', async () => {
    await expect(answerOf(Promise.reject(new TypeError('Failed to fetch')))).rejects.toBeInstanceOf(Unreachable);
  });
});
