import { describe, expect, it } from 'vitest';
import { amountHint, amountOf, amountWrong } from './typedAmount';

describe('an amount that is typed', () => {
  it.each([
    ['500', 'job', 500],
    ['1,000', 'job', 1000],
    ['10 000', 'job', 10_000],
    ['3 jobs', 'job', 3],
    ['0', 'job', 0],
    ['1000000000000000', 'job', 1e15],
    ['5000000', 'byte', 5_000_000],
    ['5 GB', 'byte', 5_000_000_000],
    ['1.1gb', 'byte', 1_100_000_000],
    ['0.0000001 GB', 'byte', 100],
    ['90 minutes', 'second', 5_400],
    ['1.5 h', 'second', 5_400],
    ['20 seconds', 'second', 20],
  ])('"%s" of %s is %s', (text, unit, amount) => {
    expect(amountOf(text, unit)).toBe(amount);
  });

  it.each([
    ['', 'job'],
    ['-1', 'job'],
    ['1.5', 'job'],
    ['1e3', 'job'],
    ['5 GB', 'job'],
    ['1.5 bytes', 'byte'],
    ['5 minutes', 'byte'],
    ['5 constructor', 'byte'],
    ['1000000000000001', 'job'],
    ['1001 TB', 'byte'],
    ['99999999999999999999', 'job'],
  ])('"%s" of %s is none', (text, unit) => {
    expect(amountOf(text, unit)).toBeNull();
  });

  it('is told for people and in base units', () => {
    expect(amountHint('5 GB', 'byte')).toBe('That is 5 gigabytes: 5,000,000,000 bytes.');
    expect(amountHint('1234567', 'byte')).toBe('That is 1.23 megabytes: 1,234,567 bytes.');
    expect(amountHint('500', 'byte')).toBe('That is 500 bytes.');
    expect(amountHint('0', 'byte')).toBe('That is 0 bytes.');
    expect(amountHint('90 min', 'second')).toBe('That is 90 minutes: 5,400 seconds.');
    expect(amountHint('', 'byte')).toBe('In bytes, or with a unit: 5 GB, 500 MB.');
    expect(amountHint('', 'second')).toBe('In seconds, or with a unit: 90 minutes, 2 hours.');
    expect(amountHint('50', 'job')).toBe('A whole number; 0 is nothing.');
  });

  it('is told what is wrong with it', () => {
    expect(amountWrong('5 GB', 'byte', 0)).toBeNull();
    expect(amountWrong('0', 'job', 0)).toBeNull();
    expect(amountWrong('0', 'job', 1)).toBe('Enter a whole number from 1 on.');
    expect(amountWrong('many', 'job', 0)).toBe('Enter a whole number from 0 on.');
    expect(amountWrong('1000000000000001', 'job', 0)).toBe('Enter 1,000,000,000,000,000 at most.');
    expect(amountWrong('1001 TB', 'byte', 0)).toBe('Enter 1,000,000,000,000,000 bytes at most.');
  });
});
