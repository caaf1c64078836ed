import type { UserWhole } from '../../api/types';
import { texts } from '../../texts';
import { formatMoment } from '../../texts/format';
import { Notice } from '../../ui/Notice';
import type { Reader } from '../../usage/meterText';
import { DataTable } from '../DataTable';
import classes from './User.module.css';

interface KeysTabProps {
  readonly user: UserWhole;
  readonly reader: Reader;
}

/** The keys of the user's own account: their beginnings alone, for nobody but their maker has a secret. */
export function KeysTab({ user, reader }: KeysTabProps) {
  const words = texts.adminUser.keys;
  const at = (iso: string | null, otherwise: string) =>
    iso === null ? otherwise : formatMoment(iso, reader.zone, reader.now);
  if (user.keys.length === 0) return <p className={classes.quiet}>{words.none}</p>;
  return (
    <>
      <Resting status={user.status} />
      <DataTable caption={words.caption}>
        <thead>
          <tr>
            <th scope="col">{words.name}</th>
            <th scope="col">{words.prefix}</th>
            <th scope="col">{words.scopes}</th>
            <th scope="col">{words.made}</th>
            <th scope="col">{words.used}</th>
            <th scope="col">{words.expires}</th>
          </tr>
        </thead>
        <tbody>
          {user.keys.map((key) => (
            <tr key={key.id}>
              <th scope="row">{key.name}</th>
              <td>
                <code>{key.prefix}…</code>
              </td>
              <td>{key.scopes.length === 0 ? words.allScopes : key.scopes.join(', ')}</td>
              <td>{at(key.created_at, '')}</td>
              <td>{at(key.last_used_at, words.neverUsed)}</td>
              <td>{at(key.expires_at, words.noExpiry)}</td>
            </tr>
          ))}
        </tbody>
      </DataTable>
    </>
  );
}

/** Why the keys do not work although each of them is in force. */
function Resting({ status }: Pick<UserWhole, 'status'>) {
  const words = texts.adminUser.keys;
  if (status === 'suspended') return <Notice tone="near" title={words.locked} />;
  if (status === 'unverified') return <Notice tone="near" title={words.unconfirmed} />;
  return null;
}
