import { describe, expect, it } from 'vitest';
import { en as texts } from './en';

/** Every text with its place; functions are given words that can be found again. */
function* all(node: unknown, place: string): Generator<{ place: string; text: string; given: string[] }> {
  if (typeof node === 'string') yield { place, text: node, given: [] };
  else if (typeof node === 'function') {
    const given = Array.from({ length: node.length }, (_, index) => `<${index}>`);
    yield { place, text: (node as (...values: string[]) => string)(...given), given };
  } else if (typeof node === 'object' && node !== null) {
    for (const [key, value] of Object.entries(node)) yield* all(value, `${place}.${key}`);
  }
}

const catalogue = Array.from(all(texts, 'texts'));

describe('the catalogue of texts', () => {
  it.each(catalogue)('$place says something and uses all it is given', ({ text, given }) => {
    expect(text.trim()).toBe(text);
    expect(text).not.toBe('');
    expect(text).not.toMatch(/undefined|null|\[object/);
    for (const value of given) expect(text).toContain(value);
  });

  it('keeps the tone: no "Oops", no exclamation', () => {
    for (const { text } of catalogue) expect(text).not.toMatch(/oops|whoops|!/i);
  });

  it('has a locale that Intl knows', () => {
    expect(Intl.NumberFormat.supportedLocalesOf(texts.locale)).toEqual([texts.locale]);
  });
});
