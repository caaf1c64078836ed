import type { Deletion } from '../../../api/types';
import { texts } from '../../../texts';
import { formatCount } from '../../../texts/format';

/** What a deletion takes along, a line for each kind of thing of which there is one. */
export function takenAlong(deletion: Deletion): string[] {
  const words = texts.adminUser.remove;
  const kinds = [
    [deletion.sessions, words.sessions],
    [deletion.keys, words.keys],
    [deletion.open_reservations, words.reservations],
    [deletion.members_who_lose_access, words.members],
    [deletion.memberships, words.memberships],
  ] as const;
  const lines = kinds.filter(([count]) => count > 0).map(([count, line]) => line(formatCount(count)));
  if (deletion.subscription !== null) lines.unshift(words.subscription(deletion.plan));
  return lines.length === 0 ? [words.nothing] : lines;
}
