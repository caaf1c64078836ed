import type { AuditEvent } from '../../api/types';
import { texts } from '../../texts';
import { Caption } from '../../ui/Caption';
import classes from './Audit.module.css';
import { changesOf } from './changes';

/** What an act changed, before and after side by side: only what differs. */
export function ChangeTable({ event }: { readonly event: AuditEvent }) {
  const words = texts.audit;
  const changes = changesOf(event);
  if (changes.length === 0) return <p>{words.noChange}</p>;
  return (
    <table className={classes.changes}>
      <Caption>{words.changes(event.action)}</Caption>
      <thead>
        <tr>
          <th scope="col">{words.field}</th>
          <th scope="col">{words.before}</th>
          <th scope="col">{words.after}</th>
        </tr>
      </thead>
      <tbody>
        {changes.map(({ name, before, after }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{before ?? words.none}</td>
            <td>{after ?? words.none}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
