import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useCallback } from 'react';
import { usersQuery } from '../../api/adminQueries';
import { useReader } from '../../overview/useReader';
import { texts } from '../../texts';
import { ErrorNotice } from '../../ui/ErrorNotice';
import { PageHeading } from '../../ui/PageHeading';
import { Placeholder } from '../../ui/Placeholder';
import { PageLinks } from '../PageLinks';
import { UserFilters } from './UserFilters';
import classes from './Users.module.css';
import { isNarrowed, PAGE_SIZE, usersSearch, type UsersSearch } from './usersSearch';
import { UserTable } from './UserTable';
import { totalText } from './userText';

/** All users of the platform. What is looked for, the order and the page are in the address. */
export function UsersPage({ search }: { readonly search: UsersSearch }) {
  const reader = useReader();
  const users = useQuery(usersQuery({ ...search, page_size: PAGE_SIZE }));
  const navigate = useNavigate({ from: '/admin/users' });
  const words = texts.adminUsers;

  /** Another list begins at its first page. While somebody types, the way back is not filled with parts of words. */
  const change = useCallback(
    (changes: Record<string, string | null>) => {
      const search = (before: UsersSearch) => usersSearch({ ...before, ...changes, page: null });
      void navigate({ search, replace: 'q' in changes });
    },
    [navigate],
  );

  return (
    <>
      <PageHeading>{words.heading}</PageHeading>
      <UserFilters search={search} onChange={change} />
      {users.isPending && <Placeholder width="100%" height={480} line={504} />}
      {users.isError && (
        <ErrorNotice error={users.error} title={words.failed} onRetry={() => void users.refetch()} />
      )}
      {users.data && (
        <>
          <p role="status" className={classes.count}>
            {totalText(users.data)}
          </p>
          {users.data.items.length > 0 && (
            <UserTable users={users.data.items} reader={reader} isBusy={users.isPlaceholderData} />
          )}
          {users.data.items.length === 0 && (
            <p>{isNarrowed(search) || search.page !== undefined ? words.nothing : words.empty}</p>
          )}
          {isNarrowed(search) && users.data.items.length === 0 && (
            <div>
              <Button variant="default" onClick={() => change({ q: null, status: null, plan: null, role: null })}>
                {words.clear}
              </Button>
            </div>
          )}
          <PageLinks
            label={words.pages}
            page={users.data.page}
            pageSize={users.data.page_size}
            total={users.data.total}
            isExact={users.data.total_is_exact}
            shown={users.data.items.length}
          />
        </>
      )}
    </>
  );
}
