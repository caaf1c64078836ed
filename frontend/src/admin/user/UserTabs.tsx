import { Link } from '@tanstack/react-router';
import settings from '../../settings/Settings.module.css';
import { texts } from '../../texts';
import { useOperator } from '../useOperator';
import { TABS } from './tabs';

/** The way between the parts of a user's room. */
export function UserTabs({ userId }: { readonly userId: string }) {
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
              // The others stay open on each page of their lists.
              activeOptions={{ exact: tab === 'overview' }}
            >
              {words.tabs[tab]}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
