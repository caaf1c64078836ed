import { describe, expect, it } from 'vitest';
import { meantIn, withoutSecret } from './meant';

const REQUEST = 'req_692c1a2e5f0b7c3d9e8a4f6b1c2d3e';
const DECISION = '0199f0aa-0000-7000-8000-0000000000cc';

describe('what a text of a customer means', () => {
  it.each([
    [`request ${REQUEST} was refused`, REQUEST],
    [`Hello,\n\nwe got "${REQUEST.toUpperCase().replace('REQ', 'Req')}".\nBest, Ada <ada@example.com>`, REQUEST],
    [`{"request_id":"${REQUEST}","decision_id":"${DECISION}"}`, REQUEST],
    [`X-Request-Id: ${REQUEST}.`, REQUEST],
    [`decision ${DECISION.toUpperCase()}, please`, DECISION],
    [`https://api.example.com/v1/decisions/${DECISION}?x=1`, DECISION],
    ['our key fk_live_abcdefGHIJKL does not work', 'fk_live_abcdef'],
    ['  fk_svc_abcdefGHIJKL', 'fk_svc_abcdef'],
    ['mail of Ada <ada+ops@mail.example.com>: it fails!', 'ada+ops@mail.example.com'],
    ['request req_01JD failed', 'req_01JD'],
    ['req_fk_live_abcdefGHIJKL', 'req_fk_live_abcdefGHIJKL'],
    [' Order-7/b ', 'Order-7/b'],
    [`web-${DECISION}`, `web-${DECISION}`],
    ['nothing is named', 'nothing is named'],
    ['', ''],
  ])('%j is %j', (text, meant) => expect(meantIn(text)).toBe(meant));

  it('never keeps a secret, wherever it stands', () => {
    expect(withoutSecret('key fk_live_abcdefGHIJKL and fk_svc_abcdefGHIJKL')).toBe('key fk_live_abcdef and fk_svc_abcdef');
    expect(withoutSecret('fk_test_abc')).toBe('fk_test_abc');
    expect(withoutSecret('req_fk_live_abcdefGHIJKL')).toBe('req_fk_live_abcdefGHIJKL');
  });
});
