import type { AuditEvent } from '../../api/types';

/** One field of what an act changed; undefined where there was none, or is none. */
export interface Change {
  readonly name: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** Plain values as they are read; lists and records as JSON, a line for each part. */
function said(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2);
}

/** What differs between before and after, in the order in which it was written down. */
export function changesOf({ before, after }: Pick<AuditEvent, 'before' | 'after'>): Change[] {
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  return Array.from(names, (name) => ({ name, before: said(before?.[name]), after: said(after?.[name]) })).filter(
    (change) => change.before !== change.after,
  );
}
