import { useQuery } from '@tanstack/react-query';
import { operatorQuery } from '../api/adminQueries';
import type { Permission } from '../api/types';

interface KnownOperator {
  /** Null until it is known. */
  readonly userId: string | null;
  readonly isSuperadmin: boolean;
  /** Whether their roles allow it, as far as is known: the server has the last word. */
  readonly may: (permission: Permission) => boolean;
}

/** The operator who reads, and what they may do. */
export function useOperator(): KnownOperator {
  const operator = useQuery(operatorQuery).data;
  return {
    userId: operator?.user_id ?? null,
    isSuperadmin: operator?.roles.includes('superadmin') ?? false,
    may: (permission) => operator?.permissions.includes(permission) ?? false,
  };
}
