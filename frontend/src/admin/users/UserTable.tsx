import { Checkbox } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { UserRow } from '../../api/types';
import { texts } from '../../texts';
import { formatMoment } from '../../texts/format';
import type { Reader } from '../../usage/meterText';
import { DataTable } from '../DataTable';
import { isChosen, type Selection } from './selection';
import { StatusMark } from './StatusMark';
import classes from './Users.module.css';
import { rolesText } from './userText';

interface UserTableProps {
  readonly users: readonly UserRow[];
  readonly reader: Reader;
  readonly isBusy: boolean;
  readonly selection: Selection;
  /** Chooses these or not; null where the reader may do nothing with them. */
  readonly onChoose: ((ids: readonly string[], wanted: boolean) => void) | null;
}

/** The users of a page. The checkbox in the head is that of all of them. */
export function UserTable({ users, reader, isBusy, selection, onChoose }: UserTableProps) {
  const words = texts.adminUsers;
  const count = users.filter(({ id }) => isChosen(selection, id)).length;
  return (
    <DataTable caption={words.heading} isBusy={isBusy} stacks>
      <thead>
        <tr>
          {onChoose && (
            <td>
              <Checkbox
                size="xs"
                aria-label={texts.adminBulk.choosePage}
                checked={count === users.length}
                indeterminate={count > 0 && count < users.length}
                onChange={({ currentTarget }) => onChoose(users.map(({ id }) => id), currentTarget.checked)}
              />
            </td>
          )}
          <th scope="col">{words.user}</th>
          <th scope="col">{words.status}</th>
          <th scope="col">{words.plan}</th>
          <th scope="col">{words.role}</th>
          <th scope="col">{words.secondFactor}</th>
          <th scope="col">{words.created}</th>
          <th scope="col">{words.lastSignIn}</th>
        </tr>
      </thead>
      <tbody>
        {users.map((user) => (
          <Row
            key={user.id}
            user={user}
            reader={reader}
            isOn={isChosen(selection, user.id)}
            onChoose={onChoose}
          />
        ))}
      </tbody>
    </DataTable>
  );
}

interface RowProps {
  readonly user: UserRow;
  readonly reader: Reader;
  /** Whether it is chosen. */
  readonly isOn: boolean;
  readonly onChoose: UserTableProps['onChoose'];
}

function Row({ user, reader, isOn, onChoose }: RowProps) {
  const words = texts.adminUsers;
  const at = (iso: string) => formatMoment(iso, reader.zone, reader.now);
  return (
    <tr className={classes.row}>
      {onChoose && (
        <td className={classes.above}>
          <Checkbox
            size="xs"
            aria-label={texts.adminBulk.chooseOne(user.email)}
            checked={isOn}
            onChange={({ currentTarget }) => onChoose([user.id], currentTarget.checked)}
          />
        </td>
      )}
      <th scope="row" className={classes.who}>
        <Link to="/admin/users/$userId" params={{ userId: user.id }} className={classes.user}>
          {user.email}
        </Link>
        {user.name !== null && <span className={classes.name}>{user.name}</span>}
      </th>
      <td className={classes.fixed} data-label={words.status}>
        <StatusMark status={user.status} />
      </td>
      <td data-label={words.plan}>{user.plan}</td>
      <td data-label={words.role}>{rolesText(user.roles)}</td>
      <td data-label={words.secondFactor}>{user.mfa_enabled ? words.on : words.off}</td>
      <td className={classes.fixed} data-label={words.created}>
        {at(user.created_at)}
      </td>
      <td className={classes.fixed} data-label={words.lastSignIn}>
        {user.last_login_at === null ? words.never : at(user.last_login_at)}
      </td>
    </tr>
  );
}
