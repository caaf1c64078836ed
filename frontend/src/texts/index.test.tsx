import { screen } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { network, open } from '../test/app';
import { me } from '../test/me';
import { meter, storage } from '../test/meters';
import { plan, pro, rateLimits } from '../test/plans';
import { language, LANGUAGES, languageFor, onLanguage, speak, putInUse, texts, type Texts } from '.';
import { en } from './en';

beforeEach(() => {
  network({
    'GET /v1/auth/me': [200, me()],
    'GET /v1/subscription/plans': [200, { plans: [plan(), pro()] }],
    'GET /v1/subscription/rate-limits': [200, rateLimits()],
    'GET /v1/subscription/usage': [200, { usage: {}, limits: {}, meters: [meter(), storage] }],
    'GET /v1/auth/sessions': [200, { items: [] }],
  });
});

afterEach(() => putInUse(en));

/** A catalogue whose every text says that it is one. */
function marked(node: unknown): unknown {
  if (typeof node === 'string') return `~${node}`;
  if (typeof node === 'function') {
    return (...values: unknown[]) => `~${(node as (...given: unknown[]) => string)(...values)}`;
  }
  return Object.fromEntries(Object.entries(node as object).map(([key, value]) => [key, marked(value)]));
}

const pseudo = { ...(marked(en) as Texts), locale: 'en-GB' };

describe('languages', () => {
  it.each([
    [['en'], 'en'],
    [['en-GB'], 'en'],
    [['EN-us', 'xx'], 'en'],
    [[null, 'xx-YY'], 'en'],
    [[], 'en'],
  ])('%j speak %s', (wanted, tag) => expect(languageFor(wanted)).toBe(tag));

  it('are listed by their own names', () => {
    expect(LANGUAGES).toContainEqual({ tag: 'en', language: 'English' });
  });

  it('name the language of the page, and tell only of a change', () => {
    const listener = vi.fn();
    const stop = onLanguage(listener);
    speak('en');
    stop();
    expect(document.documentElement.lang).toBe(language());
    expect(listener).not.toHaveBeenCalled();
    expect(texts).toBe(en);
  });

  it.each([
    ['/login', 'signed-out'],
    ['/signup', 'signed-out'],
    ['/forgot', 'signed-out'],
    ['/verify-email', 'signed-out'],
    ['/pricing', 'signed-out'],
    ['/nowhere', 'signed-out'],
    ['/app', 'signed-in'],
    ['/app/plans', 'signed-in'],
    ['/app/limits', 'signed-in'],
    ['/app/settings/profile', 'signed-in'],
    ['/app/settings/security', 'signed-in'],
    ['/app/settings/preferences', 'signed-in'],
  ] as const)('take every text of %s from the catalogue in use', async (path, reader) => {
    putInUse(pseudo);
    open(path, reader);
    await screen.findByRole('heading', { level: 1 });
    await vi.waitFor(() => expect(document.querySelector('[aria-busy="true"]')).toBeNull());
    expect(untranslated()).toEqual([]);
  });
});

/** What holds letters and comes neither from the catalogue, nor from Intl, nor from what the server answered. */
function untranslated(): string[] {
  const own = /^(ada@example\.com|Ada|Free|Pro|Jobs|Storage|English|Europe\/Berlin|0199f0aa.*|req_1|Title of .*|\d[\d, :]*(MB|Nov).*)$/;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found: string[] = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent?.trim() ?? '';
    const isCode = walker.currentNode.parentElement?.closest('style, script, title') != null;
    if (/\p{L}/u.test(text) && !text.includes('~') && !own.test(text) && !isCode) found.push(text);
  }
  return found;
}
