import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useCallback } from 'react';
import { usersQuery } from '../../api/adminQueries';
import { useReader } from '../../overview/useReader';
import { texts } from '../../texts';
import { ErrorNotice } from '../../ui/ErrorNotice';
import { PageHeading } from '../../ui/PageHeading';
import { Placeholder } from '../../ui/Placeholder';
import { UserFilters } from './UserFilters';
import { UserList } from './UserList';
import { PAGE_SIZE, usersSearch, type UsersSearch } from './usersSearch';

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
        <UserList
          users={users.data}
          search={search}
          reader={reader}
          isBusy={users.isPlaceholderData}
          onClear={() => change({ q: null, status: null, plan: null, role: null })}
        />
      )}
    </>
  );
}
