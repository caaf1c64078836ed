import { Link } from '@tanstack/react-router';
import { texts } from '../texts/en';
import classes from './Settings.module.css';

const PAGES = [
  { to: '/app/settings/profile', label: texts.settings.profile },
  { to: '/app/settings/security', label: texts.settings.security },
  { to: '/app/settings/preferences', label: texts.settings.preferences },
] as const;

/** The way between the pages of the settings. */
export function SettingsNav() {
  return (
    <nav aria-label={texts.settings.label}>
      <ul className={classes.tabs}>
        {PAGES.map(({ to, label }) => (
          <li key={to}>
            <Link to={to} className={classes.tab}>
              {label}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
