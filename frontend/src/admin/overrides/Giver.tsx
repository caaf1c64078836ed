import { Link } from '@tanstack/react-router';
import type { GivenOverride } from '../../api/types';
import { texts } from '../../texts';

/** Who gave a limit: an operator by their address, or a command. */
export function Giver({ given }: { readonly given: Pick<GivenOverride, 'created_by' | 'created_by_email'> }) {
  const { created_by: id, created_by_email: email } = given;
  if (id === null) return texts.adminGiven.byCommand;
  return (
    <Link to="/admin/users/$userId" params={{ userId: id }} title={id}>
      {email ?? id}
    </Link>
  );
}
