const OURS = /^req_[0-9a-f]{29,}$/i;
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const KEY = /^fk_(live|test|svc)_\w+$/;
const ADDRESS = /^[\w.+-]+@[\w-]+(\.[\w-]+)+$/;

/** What a customer may name, the most telling first; a caller may have given a request an id of their own. */
const KINDS = [/^req_[\w-]+$/i, ID, KEY, ADDRESS];
const BETWEEN = /[^\w@.+-]+/;
const SECRET = /(?<![\w-])(fk_(?:live|test|svc)_\w{6})\w+/g;

/** The same with no more of keys than lists show of them: a secret has no place in an address. */
export function withoutSecret(text: string): string {
  return text.replace(SECRET, '$1');
}

export const isKey = (text: string): boolean => text.startsWith('fk_');

export const isAddress = (text: string): boolean => ADDRESS.test(text);

/**
 * What a text of a customer names, such as "request req_… was refused": the id of a request or decision, the beginning
 * of a key, or an address. A text that names nothing known is meant as it is, for callers choose ids of requests.
 */
export function meantIn(text: string): string {
  const words = text.split(BETWEEN).map((word) => word.replace(/^[.+-]+|[.+-]+$/g, ''));
  const found = KINDS.map((kind) => words.find((word) => kind.test(word))).find((word) => word !== undefined);
  if (found === undefined) return withoutSecret(text.trim());
  // Ours are written in small letters alone; in an id of the caller's own each letter counts.
  return OURS.test(found) || ID.test(found) ? found.toLowerCase() : withoutSecret(found);
}
