import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState, type SyntheticEvent } from 'react';
import { noticedUsageQuery } from '../../api/queries';
import { texts } from '../../texts';
import { meterName } from '../../usage/meterText';
import classes from './Given.module.css';
import { givenSearch, type GivenSearch } from './givenSearch';

interface GivenFiltersProps {
  readonly search: GivenSearch;
  readonly onShow: (search: GivenSearch) => void;
}

/** Which limits are listed. Another list begins at its first page. */
export function GivenFilters({ search, onShow }: GivenFiltersProps) {
  const words = texts.adminGiven;
  const [q, setQ] = useState(search.q ?? '');
  const usage = useQuery(noticedUsageQuery).data;
  const meters = new Map(usage?.meters.map(({ meter, name }) => [meter, name]));
  if (search.meter !== undefined && !meters.has(search.meter)) meters.set(search.meter, meterName(search.meter));
  const show = (changed: Partial<Record<keyof GivenSearch, string>>): void =>
    onShow(givenSearch({ ...search, q, ...changed, page: undefined }));

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    show({});
  }

  return (
    <form role="search" aria-label={words.filters} className={classes.filters} onSubmit={submit} noValidate>
      <TextInput
        type="search"
        label={words.q}
        description={words.qHint}
        value={q}
        maxLength={320}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setQ(event.currentTarget.value)}
      />
      <NativeSelect
        label={words.state}
        value={search.state ?? ''}
        data={[
          { value: '', label: words.any },
          ...Object.entries(texts.adminUser.overrides.states).map(([value, label]) => ({ value, label })),
        ]}
        onChange={({ currentTarget: { value } }) => show({ state: value })}
      />
      <NativeSelect
        label={texts.adminUser.overrides.meter}
        value={search.meter ?? ''}
        data={[{ value: '', label: words.any }, ...Array.from(meters, ([value, label]) => ({ value, label }))]}
        onChange={({ currentTarget: { value } }) => show({ meter: value })}
      />
      <div className={classes.buttons}>
        <Button type="submit">{words.show}</Button>
        {Object.keys(search).length > 0 && (
          <Button variant="default" onClick={() => onShow({})}>
            {words.clear}
          </Button>
        )}
      </div>
    </form>
  );
}
