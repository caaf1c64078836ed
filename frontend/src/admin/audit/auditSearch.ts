import type { AuditQuery } from '../../api/types';
import { between, isDay, type DayRange } from '../../texts/days';

export const PAGE_SIZE = 50;
const LAST_PAGE = 10_000 / PAGE_SIZE;
const MOST_TEXT = 320;
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What the address of the audit log says. */
export interface AuditSearch extends DayRange {
  /** One act, or the beginning of several that ends with a dot: "user.". */
  readonly action?: string;
  /** The id or the address of who did it. */
  readonly actor?: string;
  /** The id of whom or what it was done to, or an address. */
  readonly target?: string;
  readonly request?: string;
  readonly page?: number;
}

export function isId(value: unknown): value is string {
  return typeof value === 'string' && ID.test(value);
}

/** Whether it names a user: by an id, or by an address. */
export function isUser(text: string): boolean {
  return ID.test(text) || text.includes('@');
}

function textOf(value: unknown): string | null {
  const text = typeof value === 'string' ? value.trim().slice(0, MOST_TEXT) : '';
  return text === '' || text.includes('\0') ? null : text;
}

/** Reads the address; what it does not know is left out. */
export function auditSearch(search: Record<string, unknown>): AuditSearch {
  const [action, actor, target, request] = [search.action, search.actor, search.target, search.request].map(textOf);
  const page = Number(search.page);
  return {
    ...(action ? { action } : {}),
    ...(actor && isUser(actor) ? { actor } : {}),
    ...(target ? { target } : {}),
    ...(request ? { request } : {}),
    ...(isDay(search.from) ? { from: search.from } : {}),
    ...(isDay(search.until) ? { until: search.until } : {}),
    ...(Number.isInteger(page) && page > 1 && page <= LAST_PAGE ? { page } : {}),
  };
}

/** The same as the API asks for it, without the page. */
export function auditQueryOf({ action, actor, target, request, ...days }: AuditSearch, zone: string): AuditQuery {
  return {
    ...(action === undefined ? {} : { action }),
    ...(actor === undefined ? {} : { actor }),
    ...(target === undefined ? {} : { target_id: target }),
    ...(request === undefined ? {} : { request_id: request }),
    ...between(days, zone),
  };
}
