import type { AuditEvent } from '../../api/types';
import { texts } from '../../texts';

function shown(value: unknown): string {
  if (value === undefined || value === null) return texts.adminUser.audit.nothing;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Who did it: an operator by their id, and as whom where they acted as somebody else. */
export function actorText({ actor_kind: kind, actor_id: id, real_actor_id: real }: AuditEvent): string {
  const words = texts.adminUser.audit;
  if (real !== null) return words.actedAs(real, id ?? words.nothing);
  return id ?? words.actors[kind];
}

/** What was changed, a line for each value: "status: active → suspended". */
export function changeLines({ before, after }: AuditEvent): string[] {
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  return [...names].map((name) => {
    const [was, is] = [before?.[name], after?.[name]];
    if (before === null) return texts.adminUser.audit.set(name, shown(is));
    return texts.adminUser.audit.changed(name, shown(was), shown(is));
  });
}
