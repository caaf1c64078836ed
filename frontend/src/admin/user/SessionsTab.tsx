import type { UserWhole } from '../../api/types';
import { deviceText } from '../../settings/device';
import { texts } from '../../texts';
import { formatMoment } from '../../texts/format';
import type { Reader } from '../../usage/meterText';
import { DataTable } from '../DataTable';
import { useOperator } from '../useOperator';
import { ActList } from './acts/ActList';
import { RevokeSessions } from './acts/accessActs';
import { actsOn } from './acts/actTable';
import classes from './User.module.css';

interface SessionsTabProps {
  readonly user: UserWhole;
  readonly reader: Reader;
}

/** Where the user is signed in, and the way to end that. */
export function SessionsTab({ user, reader }: SessionsTabProps) {
  const words = texts.adminUser.sessions;
  const operator = useOperator();
  const mayEnd = actsOn(user, operator).some(({ name }) => name === 'revoke');
  const at = (iso: string) => formatMoment(iso, reader.zone, reader.now);
  return (
    <>
      {user.sessions.length === 0 ? (
        <p className={classes.quiet}>{words.none}</p>
      ) : (
        <DataTable caption={words.caption}>
          <thead>
            <tr>
              <th scope="col">{words.device}</th>
              <th scope="col">{words.address}</th>
              <th scope="col">{words.begun}</th>
              <th scope="col">{words.seen}</th>
              <th scope="col">{words.ends}</th>
            </tr>
          </thead>
          <tbody>
            {user.sessions.map((session) => (
              <tr key={session.id}>
                <th scope="row" title={session.user_agent ?? undefined}>
                  {deviceText(session.user_agent)}
                  {session.impersonator_id !== null && <div>{words.operator(session.impersonator_id)}</div>}
                </th>
                <td>{session.address ?? words.unknown}</td>
                <td>{at(session.created_at)}</td>
                <td>{at(session.last_seen_at)}</td>
                <td>{at(session.expires_at)}</td>
              </tr>
            ))}
          </tbody>
        </DataTable>
      )}
      {user.sessions.length > 0 && mayEnd && (
        <ActList>
          <RevokeSessions user={user} />
        </ActList>
      )}
    </>
  );
}
