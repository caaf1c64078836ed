import type { ServerSent } from './sse';

/** An amount that was counted. One of calls that are spent from memory grows for a minute. */
export interface UsageRow {
  readonly kind: 'usage';
  readonly id: string;
  readonly meter: string;
  readonly amount: number;
  readonly source: string;
  readonly counted: boolean;
  readonly occurred_at: string;
  readonly key_id: string | null;
}

/** Refusals that are alike; the numbers are those of the first. */
export interface DenialRow {
  readonly kind: 'denial';
  readonly id: string;
  readonly code: string;
  readonly meter: string | null;
  readonly method: string;
  readonly path: string;
  readonly used: number | null;
  readonly limit: number | null;
  readonly requested: number | null;
  readonly count: number;
  readonly first_at: string;
  readonly key_id: string | null;
  readonly request_id: string;
}

export type LiveRow = UsageRow | DenialRow;

/** How the counters stand. */
export interface MetersSnapshot {
  readonly as_of: string;
  readonly meters: readonly {
    readonly meter: string;
    readonly used: number;
    readonly held: number;
    readonly limit: number | null;
    readonly remaining: number | null;
  }[];
}

export const MOST_ROWS = 200;

/** In the order they came in, the newest first, each once, as last told: ids bear their time, and who comes back is told some a second time. */
export function withEvents(rows: readonly LiveRow[], events: readonly ServerSent[]): readonly LiveRow[] {
  const known = new Map(rows.map((row) => [row.id, row]));
  for (const { kind, data } of events) {
    if (kind !== 'usage' && kind !== 'denial') continue;
    const row = { ...(JSON.parse(data) as LiveRow), kind } as LiveRow;
    const before = known.get(row.id);
    // Told again by a server that has not seen the newest yet: what grows never shrinks.
    if (before?.kind === 'usage' && row.kind === 'usage' && row.source === 'journal' && before.amount > row.amount) continue;
    known.set(row.id, row);
  }
  const sorted = Array.from(known.values()).sort((one, other) => (one.id < other.id ? 1 : -1));
  return sorted.slice(0, MOST_ROWS);
}

/** What the newest snapshot among events says; null without one. */
export function metersOf(events: readonly ServerSent[]): MetersSnapshot | null {
  const found = events.findLast(({ kind }) => kind === 'meters');
  return found === undefined ? null : (JSON.parse(found.data) as MetersSnapshot);
}

/** Whether something was left out. */
export function hasGap(events: readonly ServerSent[]): boolean {
  return events.some(({ kind }) => kind === 'gap');
}
