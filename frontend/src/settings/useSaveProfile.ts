import { useMutation, useQueryClient, type UseMutationResult } from '@tanstack/react-query';
import { api } from '../api/client';
import { answerOf } from '../api/problem';
import { meQuery } from '../api/queries';
import type { Me } from '../api/types';

export type ProfileChange = Partial<Pick<Me, 'name' | 'display_zone' | 'language' | 'theme'>>;

/** Saves part of the profile; what the pages know of the user is loaded anew. */
export function useSaveProfile(): UseMutationResult<unknown, Error, ProfileChange> {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (change: ProfileChange) => answerOf(api.PATCH('/v1/auth/me', { body: change })),
    onSuccess: () => client.invalidateQueries({ queryKey: meQuery.queryKey }),
  });
}
