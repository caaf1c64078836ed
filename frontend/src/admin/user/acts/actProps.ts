import type { UserWhole } from '../../../api/types';

/** To whom an act is done. */
export interface ActProps {
  readonly user: UserWhole;
}

export const pathOf = (user: UserWhole) => ({ params: { path: { user_id: user.id } } });
