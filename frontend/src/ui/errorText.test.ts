import { describe, expect, it } from 'vitest';
import { ApiError, readProblem } from '../api/problem';
import { errorText } from './errorText';

function refused(code: string) {
  const body = { title: 'T', code, detail: 'D.', request_id: 'req_1' };
  return new ApiError(403, readProblem(body, 403), 'req_1');
}

describe('errorText', () => {
  it('says it as the server does, with the request id', () => {
    expect(errorText(refused('target_protected'))).toEqual({ title: 'T', lines: ['D.'], requestId: 'req_1' });
  });

  it('says to who acts as a user what is closed to them, and what to do', () => {
    expect(errorText(refused('impersonation_locked'))).toEqual({
      title: 'Not while you act as somebody else',
      lines: [
        'Payments, keys and the sign-in are for the user alone.',
        'Ask the user to do it, or stop acting to do it for yourself.',
      ],
      requestId: 'req_1',
    });
  });
});
