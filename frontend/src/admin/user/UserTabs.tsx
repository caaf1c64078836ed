import { Link } from '@tanstack/react-router';
import settings from '../../settings/Settings.module.css';
import { texts } from '../../texts';
import { useOperator } from '../useOperator';
import { TABS, type Tab } from './tabs';

interface UserTabsProps {
  readonly userId: string;
  readonly current: Tab;
}

/** The way between the parts of a user's room. */
export function UserTabs({ userId, current }: UserTabsProps) {
  const { may } = useOperator();
  const words = texts.adminUser;
  return (
    <nav aria-label={words.tabsLabel}>
      <ul className={settings.tabs}>
        {TABS.filter(({ permission }) => may(permission)).map(({ tab }) => (
          <li key={tab}>
            <Link
              to="/admin/users/$userId"
              params={{ userId }}
              search={tab === 'overview' ? {} : { tab }}
              className={settings.tab}
              activeProps={{ 'aria-current': undefined }}
              aria-current={tab === current ? 'page' : undefined}
            >
              {words.tabs[tab]}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
