import { Link } from '@tanstack/react-router';
import { useOperator } from '../admin/useOperator';
import { texts } from '../texts';
import classes from './RoomNav.module.css';

/** The operators' rooms in their order, and what one needs to see each. */
const ROOMS = [
  { to: '/admin', room: 'overview', permission: 'stats.read', exact: true },
  { to: '/admin/users', room: 'users', permission: 'users.read', exact: false },
  { to: '/admin/decisions', room: 'decisions', permission: 'decisions.read', exact: false },
  { to: '/admin/overrides', room: 'overrides', permission: 'users.read', exact: false },
  { to: '/admin/stream', room: 'live', permission: 'decisions.read', exact: false },
  { to: '/admin/audit', room: 'audit', permission: 'audit.read', exact: false },
  { to: '/admin/health', room: 'health', permission: 'stats.read', exact: false },
] as const;

/** The way between the operators' rooms: those that the reader may see. */
export function AdminNav() {
  const { may } = useOperator();
  return (
    <nav aria-label={texts.admin.rooms.label} className={classes.nav}>
      <ul className={classes.list}>
        {ROOMS.filter(({ permission }) => may(permission)).map(({ to, room, exact }) => (
          <li key={to}>
            {/* A search, a tab or a page of a room is the same room. */}
            <Link to={to} activeOptions={{ exact, includeSearch: false }} className={classes.link}>
              {texts.admin.rooms[room]}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
