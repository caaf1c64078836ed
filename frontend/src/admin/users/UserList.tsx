import { Button } from '@mantine/core';
import { useState } from 'react';
import type { UserPage } from '../../api/types';
import { texts } from '../../texts';
import { formatCount } from '../../texts/format';
import type { Reader } from '../../usage/meterText';
import { PageLinks } from '../PageLinks';
import { useOperator } from '../useOperator';
import { BulkBar } from './bulk/BulkBar';
import { BulkProgress } from './bulk/BulkProgress';
import { KINDS } from './bulk/wish';
import { isNobody, MOST_NAMED, type Selection } from './selection';
import { useSelection } from './useSelection';
import classes from './Users.module.css';
import { isNarrowed, type UsersSearch } from './usersSearch';
import { UserTable } from './UserTable';
import { totalText } from './userText';

interface UserListProps {
  readonly users: UserPage;
  readonly search: UsersSearch;
  readonly reader: Reader;
  readonly isBusy: boolean;
  /** Lists all users. */
  readonly onClear: () => void;
}

/** A page of users, with what can be done to several of them. */
export function UserList({ users, search, reader, isBusy, onClear }: UserListProps) {
  const { may } = useOperator();
  const { q, status, plan, role } = search;
  const { selection, choose, chooseAll, clear } = useSelection(JSON.stringify([q, status, plan, role]));
  const [started, setStarted] = useState<string | null>(null);
  const page = users.items.map(({ id }) => id);
  const mayAct = KINDS.some(({ permission }) => may(permission));
  const bulk = texts.adminBulk;

  function start(id: string) {
    setStarted(id);
    clear();
  }

  const progress = started !== null && <BulkProgress key={started} id={started} onClose={() => setStarted(null)} />;
  if (users.items.length === 0) {
    return (
      <>
        {progress}
        <Nobody search={search} count={totalText(users)} onClear={onClear} />
      </>
    );
  }
  return (
    <>
      {progress}
      {!isNobody(selection) && (
        <BulkBar
          search={search}
          selection={selection}
          count={countText(selection, users)}
          onAll={selection.all ? null : { label: bulk.chooseAll(totalText(users)), choose: chooseAll }}
          onStarted={start}
          onCancel={clear}
        />
      )}
      <p role="status" className={classes.count}>
        {totalText(users)}
        {!selection.all && selection.ids.size >= MOST_NAMED && ` · ${bulk.most(formatCount(MOST_NAMED))}`}
      </p>
      <UserTable
        users={users.items}
        reader={reader}
        isBusy={isBusy}
        selection={selection}
        onChoose={mayAct ? (ids, wanted) => choose(ids, wanted, page) : null}
      />
      <PageLinks
        label={texts.adminUsers.pages}
        page={users.page}
        pageSize={users.page_size}
        total={users.total}
        isExact={users.total_is_exact}
        shown={users.items.length}
      />
    </>
  );
}

function countText(selection: Selection, users: UserPage): string {
  const words = texts.adminBulk;
  if (selection.all) return words.all(totalText(users));
  return selection.ids.size === 1 ? words.one : words.some(formatCount(selection.ids.size));
}

interface NobodyProps {
  readonly search: UsersSearch;
  readonly count: string;
  readonly onClear: () => void;
}

function Nobody({ search, count, onClear }: NobodyProps) {
  const words = texts.adminUsers;
  const isOfSome = isNarrowed(search) || search.page !== undefined;
  return (
    <>
      <p role="status" className={classes.count}>
        {count}
      </p>
      <p>{isOfSome ? words.nothing : words.empty}</p>
      {isOfSome && (
        <div>
          <Button variant="default" onClick={onClear}>
            {words.clear}
          </Button>
        </div>
      )}
    </>
  );
}
