import { Link } from '@tanstack/react-router';
import { texts } from '../texts/en';
import classes from './RoomNav.module.css';

const ROOMS = [
  { to: '/app', label: texts.rooms.overview, exact: true },
  { to: '/app/plans', label: texts.rooms.plans, exact: false },
  { to: '/app/limits', label: texts.rooms.limits, exact: false },
  { to: '/app/settings', label: texts.rooms.settings, exact: false },
] as const;

/** The way between the customer's rooms. */
export function RoomNav() {
  return (
    <nav aria-label={texts.rooms.label} className={classes.nav}>
      <ul className={classes.list}>
        {ROOMS.map(({ to, label, exact }) => (
          <li key={to}>
            {/* The router marks the open room with aria-current. */}
            <Link to={to} activeOptions={{ exact }} className={classes.link}>
              {label}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
