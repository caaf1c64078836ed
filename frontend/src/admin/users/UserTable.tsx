import { Link } from '@tanstack/react-router';
import type { UserRow } from '../../api/types';
import { texts } from '../../texts';
import { formatMoment } from '../../texts/format';
import type { Reader } from '../../usage/meterText';
import { DataTable } from '../DataTable';
import classes from './Users.module.css';
import { rolesText } from './userText';

interface UserTableProps {
  readonly users: readonly UserRow[];
  readonly reader: Reader;
  readonly isBusy: boolean;
}

export function UserTable({ users, reader, isBusy }: UserTableProps) {
  const words = texts.adminUsers;
  return (
    <DataTable caption={words.heading} isBusy={isBusy}>
      <thead>
        <tr>
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
          <Row key={user.id} user={user} reader={reader} />
        ))}
      </tbody>
    </DataTable>
  );
}

function Row({ user, reader }: { readonly user: UserRow; readonly reader: Reader }) {
  const words = texts.adminUsers;
  const at = (iso: string) => formatMoment(iso, reader.zone, reader.now);
  return (
    <tr className={classes.row}>
      <th scope="row" className={classes.who}>
        <Link to="/admin/users/$userId" params={{ userId: user.id }} className={classes.user}>
          {user.email}
        </Link>
        {user.name !== null && <span className={classes.name}>{user.name}</span>}
      </th>
      <td className={classes.fixed}>{words.statuses[user.status]}</td>
      <td>{user.plan}</td>
      <td>{rolesText(user.roles)}</td>
      <td>{user.mfa_enabled ? words.on : words.off}</td>
      <td className={classes.fixed}>{at(user.created_at)}</td>
      <td className={classes.fixed}>{user.last_login_at === null ? words.never : at(user.last_login_at)}</td>
    </tr>
  );
}
