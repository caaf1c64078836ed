import { en } from './en';

/** A language is a catalogue of this shape, in a file of its own, with a line in `languages`. */
export type Texts = typeof en;

/** Every language of the web app by its tag, as a user's preferences name it. */
const languages: Readonly<Record<string, Texts>> = { en };

const FALLBACK = 'en';

/**
 * The texts in use. Read them while a page is drawn, never once for all: another language replaces them, and the
 * pages are then drawn anew.
 */
export let texts: Texts = en;

let current = FALLBACK;

/** The tag and the own name of each language. */
export const LANGUAGES = Object.entries(languages).map(([tag, { language }]) => ({ tag, language }));

export const language = (): string => current;

const listeners = new Set<() => void>();

/** Calls `listener` at each change of the language. Returns the way to stop it. */
export function onLanguage(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The language for somebody who would like these, best first: "en-GB" also finds "en". */
export function languageFor(wanted: readonly (string | null)[]): string {
  const tags = wanted.flatMap((tag) => (tag === null ? [] : [tag.toLowerCase(), tag.toLowerCase().split('-')[0]]));
  return tags.map((tag) => LANGUAGES.find((known) => known.tag === tag)).find(Boolean)?.tag ?? FALLBACK;
}

/** Uses the texts of a language from now on, and tells the browser which one the page is in. */
export function speak(tag: string): void {
  document.documentElement.lang = tag;
  if (tag === current) return;
  current = tag;
  putInUse(languages[tag] ?? en);
  listeners.forEach((listener) => listener());
}

/** Puts a catalogue in use; what is drawn already stays as it is. */
export function putInUse(catalogue: Texts): void {
  texts = catalogue;
}
