import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { api } from '../api/client';
import { answerOf, ApiError } from '../api/problem';
import { usageQuery } from '../api/queries';
import type { SpendDecision } from '../api/types';

function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export type SpendOutcome =
  | { readonly id: string; readonly decision: SpendDecision }
  | { readonly id: string; readonly error: Error };

interface SpendOneJob {
  readonly spend: () => void;
  readonly isPending: boolean;
  /** The last answer, kept while the next one is on its way, so that the page does not jump. */
  readonly outcome: SpendOutcome | null;
}

/**
 * Spends one job. A click is one identity of usage: while no clear answer has come back, trying again repeats the
 * same identity, so that a lost answer never becomes a second job.
 */
export function useSpendOneJob(): SpendOneJob {
  const queries = useQueryClient();
  const unsettledKey = useRef<string | null>(null);
  const [outcome, setOutcome] = useState<SpendOutcome | null>(null);
  const mutation = useMutation<SpendDecision>({
    mutationFn: () => {
      unsettledKey.current ??= newKey();
      const body = { meter: 'jobs', amount: 1, idempotency_key: unsettledKey.current };
      return answerOf(api.POST('/v1/usage/consume', { body }));
    },
    onSettled: (decision, error) => {
      if (error === null || isClear(error)) unsettledKey.current = null;
      if (decision !== undefined) setOutcome({ id: newKey(), decision });
      else if (error !== null) setOutcome({ id: newKey(), error });
      void queries.invalidateQueries({ queryKey: usageQuery.queryKey });
    },
  });
  return { spend: () => mutation.mutate(), isPending: mutation.isPending, outcome };
}

/** Whether an answer settles what became of the request; a failure of the server may have come after the spending. */
function isClear(error: Error): boolean {
  return error instanceof ApiError && error.status < 500;
}
