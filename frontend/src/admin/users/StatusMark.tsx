import type { UserRow } from '../../api/types';
import { texts } from '../../texts';
import { NearIcon, StopIcon } from '../../ui/icons';
import classes from './StatusMark.module.css';

const ICONS = { suspended: StopIcon, unverified: NearIcon };

/** Where a user stands. What keeps them out has an icon beside its word, so that colour is never the only sign. */
export function StatusMark({ status }: Pick<UserRow, 'status'>) {
  const word = texts.adminUsers.statuses[status];
  if (status !== 'suspended' && status !== 'unverified') return word;
  const Icon = ICONS[status];
  return (
    <span className={`${classes.mark} ${classes[status]}`}>
      <Icon size={16} />
      {word}
    </span>
  );
}
