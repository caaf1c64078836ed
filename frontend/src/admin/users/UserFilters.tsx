import { NativeSelect } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { publicPlansQuery } from '../../api/queries';
import { texts } from '../../texts';
import { SearchBox } from './SearchBox';
import classes from './Users.module.css';
import { ROLES, SORTS, STATUSES, type UsersSearch } from './usersSearch';

interface UserFiltersProps {
  readonly search: UsersSearch;
  /** A `null` takes away what was asked for. */
  readonly onChange: (changes: Record<string, string | null>) => void;
}

/** Which users are listed, and in which order. */
export function UserFilters({ search, onChange }: UserFiltersProps) {
  const plans = useQuery(publicPlansQuery).data?.plans.map(({ name }) => name) ?? [];
  const words = texts.adminUsers;
  const named = search.plan === undefined || plans.includes(search.plan) ? plans : [...plans, search.plan];
  return (
    <form role="search" aria-label={words.filters} className={classes.filters} onSubmit={(event) => event.preventDefault()}>
      <SearchBox value={search.q ?? ''} onSearch={(text) => onChange({ q: text === '' ? null : text })} />
      <Choice
        label={words.status}
        any={words.anyStatus}
        value={search.status}
        options={STATUSES.map((value) => ({ value, label: words.statuses[value] }))}
        onChange={(status) => onChange({ status })}
      />
      <Choice
        label={words.plan}
        value={search.plan}
        options={named.map((value) => ({ value, label: value }))}
        onChange={(plan) => onChange({ plan })}
      />
      <Choice
        label={words.role}
        value={search.role}
        options={ROLES.map((value) => ({ value, label: words.roles[value] }))}
        onChange={(role) => onChange({ role })}
      />
      <NativeSelect
        label={words.sort}
        data={SORTS.map((value) => ({ value, label: words.sorts[value] }))}
        value={search.sort ?? SORTS[0]}
        onChange={(event) => onChange({ sort: event.currentTarget.value })}
      />
    </form>
  );
}

interface ChoiceProps {
  readonly label: string;
  /** What all of them are called. */
  readonly any?: string;
  readonly value: string | undefined;
  readonly options: readonly { readonly value: string; readonly label: string }[];
  readonly onChange: (value: string | null) => void;
}

/** One of several, or all of them. */
function Choice({ label, any = texts.adminUsers.any, value, options, onChange }: ChoiceProps) {
  return (
    <NativeSelect
      label={label}
      data={[{ value: '', label: any }, ...options]}
      value={value ?? ''}
      onChange={({ currentTarget }) => onChange(currentTarget.value === '' ? null : currentTarget.value)}
    />
  );
}
