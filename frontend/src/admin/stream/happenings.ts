import type { DenialRow } from '../../live/rows';
import type { ServerSent } from '../../live/sse';

/** A refusal of any account. */
export interface Refused extends Omit<DenialRow, 'key_id'> {
  readonly account_id: string;
  readonly account_name: string;
  /** Its owner; an account of a host application may have none. */
  readonly user_id: string | null;
}

/** What an operator, a command or the platform itself did. */
export interface Act {
  readonly kind: 'act';
  readonly id: string;
  readonly at: string;
  readonly action: string;
  readonly actor_kind: 'user' | 'command' | 'system';
  readonly actor_id: string | null;
  readonly actor_email: string | null;
  readonly real_actor_id: string | null;
  readonly real_actor_email: string | null;
  readonly target_kind: string | null;
  readonly target_id: string | null;
  readonly reason: string | null;
}

export type Happening = Refused | Act;

/** What has been seen: the newest, and what is known to be missing. */
export interface Seen {
  readonly rows: readonly Happening[];
  readonly leftOut: number;
  readonly isExact: boolean;
  readonly gap: boolean;
}

export const MOST_ROWS = 200;
export const NOTHING_SEEN: Seen = { rows: [], leftOut: 0, isExact: true, gap: false };

/** With what has come: the newest first, each once, for who comes back is told some a second time. */
export function withHappenings(seen: Seen, events: readonly ServerSent[]): Seen {
  const known = new Map(seen.rows.map((row) => [row.id, row]));
  let { leftOut, isExact, gap } = seen;
  for (const { kind, data } of events) {
    if (kind === 'denial' || kind === 'act') {
      const row = { ...(JSON.parse(data) as Happening), kind } as Happening;
      known.set(row.id, row);
    } else if (kind === 'left_out') {
      const said = JSON.parse(data) as { readonly count: number; readonly is_exact: boolean };
      leftOut += said.count;
      isExact &&= said.is_exact;
    } else if (kind === 'gap') gap = true;
  }
  const sorted = Array.from(known.values()).sort((one, other) => (one.id < other.id ? 1 : -1));
  return { rows: sorted.slice(0, MOST_ROWS), leftOut, isExact, gap };
}
