import type { UserPage } from '../../api/types';
import { texts } from '../../texts';
import { formatCount } from '../../texts/format';

/** The operator roles in words; a role that this app does not know is told by its key. */
export function rolesText(roles: readonly string[]): string {
  const known: Readonly<Record<string, string>> = texts.adminUsers.roles;
  return roles.map((role) => known[role] ?? role).join(', ');
}

/** How many users there are: "1,204 users", "at least 1,000 users". */
export function totalText({ total, total_is_exact: isExact }: Pick<UserPage, 'total' | 'total_is_exact'>): string {
  const words = texts.adminUsers;
  if (!isExact) return words.atLeast(formatCount(total));
  return total === 1 ? words.one : words.total(formatCount(total));
}
