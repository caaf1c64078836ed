import { Link } from '@tanstack/react-router';
import { texts } from '../texts';
import classes from './RoomNav.module.css';

const ROOMS = [
  { to: '/app', room: 'overview', exact: true },
  { to: '/app/usage', room: 'usage', exact: false },
  { to: '/app/live', room: 'live', exact: true },
  { to: '/app/requests', room: 'requests', exact: false },
  { to: '/app/plans', room: 'plans', exact: false },
  { to: '/app/limits', room: 'limits', exact: false },
  { to: '/app/keys', room: 'keys', exact: false },
  { to: '/app/settings', room: 'settings', exact: false },
] as const;

/** The way between the customer's rooms. */
export function RoomNav() {
  return (
    <nav aria-label={texts.rooms.label} className={classes.nav}>
      <ul className={classes.list}>
        {ROOMS.map(({ to, room, exact }) => (
          <li key={to}>
            {/* The router marks the open room with aria-current. */}
            <Link to={to} activeOptions={{ exact }} className={classes.link}>
              {texts.rooms[room]}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
