import { describe, expect, it } from 'vitest';
import css from './tokens.css?raw';

function tokens(theme: 'light' | 'dark'): Record<string, string> {
  const block = css.slice(css.indexOf(`[data-mantine-color-scheme='${theme}'] {`));
  const body = block.slice(0, block.indexOf('}'));
  return Object.fromEntries(Array.from(body.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g), (match) => [match[1]!, match[2]!]));
}

/** WCAG 2.2, relative luminance. */
function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

function contrast(one: string, other: string): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light! + 0.05) / (dark! + 0.05);
}

describe.each(['light', 'dark'] as const)('the colours of the %s theme', (theme) => {
  const colours = tokens(theme);

  it.each(['text', 'quiet', 'ok', 'near', 'over', 'good'])('%s is readable on the ground', (name) => {
    expect(contrast(colours[name]!, colours.ground!)).toBeGreaterThanOrEqual(4.5);
  });

  it.each(['ok', 'near', 'over'])('a bar of %s stands out from its track', (name) => {
    expect(contrast(colours[name]!, colours.track!)).toBeGreaterThanOrEqual(3);
  });

  it('has visible edges and readable main actions', () => {
    expect(contrast(colours.edge!, colours.ground!)).toBeGreaterThanOrEqual(3);
    expect(contrast(colours['on-ok']!, colours.ok!)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(colours['on-ok']!, colours['ok-hover']!)).toBeGreaterThanOrEqual(4.5);
  });
});
