import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { meQuery } from '../api/queries';
import { hasOwnSettings } from '../app/who';
import { texts } from '../texts';
import classes from './Settings.module.css';

const PAGES = [
  { to: '/app/settings/profile', page: 'profile' },
  { to: '/app/settings/security', page: 'security' },
  { to: '/app/settings/preferences', page: 'preferences' },
] as const;

/** The way between the pages of the settings. */
export function SettingsNav() {
  const me = useQuery(meQuery).data;
  // Whose sign-in is elsewhere has the profile of the account here, and nothing else to set.
  if (me !== undefined && !hasOwnSettings(me)) return null;
  return (
    <nav aria-label={texts.settings.label}>
      <ul className={classes.tabs}>
        {PAGES.map(({ to, page }) => (
          <li key={to}>
            <Link to={to} className={classes.tab}>
              {texts.settings[page]}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
