import { describe, expect, it } from 'vitest';
import { emailFault, passwordFault } from './password';

describe('passwordFault', () => {
  it('asks for 12 to 128 characters and nothing else', () => {
    expect(passwordFault('a'.repeat(11))).toBe('11 characters so far: at least 12 are needed.');
    expect(passwordFault('a'.repeat(12))).toBeNull();
    expect(passwordFault('            ')).toBeNull();
    expect(passwordFault('a'.repeat(128))).toBeNull();
    expect(passwordFault('a'.repeat(129))).toBe('129 characters: at most 128 are possible.');
  });

  it('takes no address as its own password, and says why', () => {
    expect(passwordFault('Ada@Example.com', 'ada@example.com')).toContain('your own address');
    expect(passwordFault('ada@example.com', 'eve@example.com')).toBeNull();
  });

  it('counts characters, not code units', () => {
    expect(passwordFault('😀'.repeat(11))).not.toBeNull();
    expect(passwordFault('😀'.repeat(128))).toBeNull();
  });
});

describe('emailFault', () => {
  it.each(['a@b', 'ada@example.com', 'ä@bücher.example'])('takes %s', (email) => expect(emailFault(email)).toBeNull());
  it.each(['', 'ada', '@b.c', 'a b@c.d', 'a@b@c'])('asks again for "%s"', (email) =>
    expect(emailFault(email)).not.toBeNull());
});
