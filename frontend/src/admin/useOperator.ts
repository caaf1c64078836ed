import { useQuery } from '@tanstack/react-query';
import { operatorQuery } from '../api/adminQueries';
import type { Permission, UserRow } from '../api/types';

/** What keeps an operator from changing a user whatever else they may: that it is an operator, or themselves. */
export type Barred = 'operator' | 'oneself';

export interface KnownOperator {
  /** Null until it is known. */
  readonly userId: string | null;
  readonly isSuperadmin: boolean;
  /** Whether their roles allow it, as far as is known: the server has the last word. */
  readonly may: (permission: Permission) => boolean;
  /** Null is nothing. Superadmins change all operators. */
  readonly barredFrom: (user: Pick<UserRow, 'id' | 'roles'>) => Barred | null;
}

/** The operator who reads, and what they may do. */
export function useOperator(): KnownOperator {
  const operator = useQuery(operatorQuery).data;
  const userId = operator?.user_id ?? null;
  const isSuperadmin = operator?.roles.includes('superadmin') ?? false;
  return {
    userId,
    isSuperadmin,
    may: (permission) => operator?.permissions.includes(permission) ?? false,
    barredFrom: ({ id, roles }) => {
      if (id === userId) return 'oneself';
      return roles.length > 0 && !isSuperadmin ? 'operator' : null;
    },
  };
}
