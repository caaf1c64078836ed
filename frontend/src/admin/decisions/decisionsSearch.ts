import type { DenialCode, RefusalsQuery } from '../../api/types';
import { texts } from '../../texts';
import { between, isDay, type DayRange } from '../../texts/days';
import { isId } from '../audit/auditSearch';
import { meantIn } from './meant';

/** What the address of the list says. */
export interface DecisionsSearch extends DayRange {
  /** What a customer gives: the id of a request or decision, or the beginning of a key. */
  readonly q?: string;
  readonly code?: DenialCode;
  readonly meter?: string;
  /** An account's id, or "external:" and the host application's own. */
  readonly account?: string;
  /** A user's id: their own account. */
  readonly user?: string;
}

const MOST_TEXT = 200;

function textOf(value: unknown): string | null {
  const text = typeof value === 'string' ? value.trim().slice(0, MOST_TEXT) : '';
  return text === '' || text.includes('\0') ? null : text;
}

function isCode(value: unknown): value is DenialCode {
  return typeof value === 'string' && Object.hasOwn(texts.requests.codes, value);
}

/** Reads the address; what it does not know is left out. */
export function decisionsSearch(search: Record<string, unknown>): DecisionsSearch {
  const meant = typeof search.q === 'string' ? meantIn(search.q) : null;
  const [q, meter, account] = [textOf(meant), textOf(search.meter), textOf(search.account)];
  return {
    ...(q === null ? {} : { q }),
    ...(isCode(search.code) ? { code: search.code } : {}),
    ...(meter === null ? {} : { meter }),
    ...(account === null ? {} : { account }),
    ...(isId(search.user) ? { user: search.user } : {}),
    ...(isDay(search.from) ? { from: search.from } : {}),
    ...(isDay(search.until) ? { until: search.until } : {}),
  };
}

/** The same as the API asks for it. */
export function refusalsOf({ q, code, meter, account, user, ...days }: DecisionsSearch, zone: string): RefusalsQuery {
  return {
    ...(q === undefined ? {} : { q }),
    ...(code === undefined ? {} : { code }),
    ...(meter === undefined ? {} : { meter }),
    ...(account === undefined ? {} : { account_id: account }),
    ...(user === undefined ? {} : { user_id: user }),
    ...between(days, zone),
  };
}
