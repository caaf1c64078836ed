import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { useState, type SyntheticEvent } from 'react';
import { texts } from '../../texts';
import { isId } from '../audit/auditSearch';
import { useOperator } from '../useOperator';
import classes from './Stream.module.css';
import { streamSearch, type StreamSearch } from './streamSearch';

/** What is looked on at. What is chosen is kept in the address. */
export function StreamFilters({ search }: { readonly search: StreamSearch }) {
  const navigate = useNavigate();
  const { may } = useOperator();
  const [account, setAccount] = useState(search.account ?? '');
  const [isChecked, setIsChecked] = useState(false);
  const words = texts.stream;
  const isWrong = account.trim() !== '' && !isId(account.trim());
  const show = (changed: Partial<Record<keyof StreamSearch, string>>): void =>
    void navigate({ to: '/admin/stream', search: streamSearch({ ...search, ...changed }) });

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setIsChecked(true);
    if (!isWrong) show({ account: account.trim() });
  }

  return (
    <form role="search" aria-label={words.filters} className={classes.filters} onSubmit={submit} noValidate>
      {may('audit.read') && (
        <NativeSelect
          label={words.kind}
          value={search.only ?? ''}
          data={[{ value: '', label: words.all }, ...Object.entries(words.kinds).map(([value, label]) => ({ value, label }))]}
          onChange={({ currentTarget: { value } }) => show({ only: value })}
        />
      )}
      <NativeSelect
        label={words.code}
        value={search.code ?? ''}
        data={[
          { value: '', label: words.all },
          ...Object.entries(texts.requests.codes).map(([value, label]) => ({ value, label })),
        ]}
        onChange={({ currentTarget: { value } }) => show({ code: value })}
      />
      <TextInput
        label={words.account}
        value={account}
        error={isChecked && isWrong ? words.accountWrong : undefined}
        placeholder={words.accountHint}
        maxLength={36}
        autoComplete="off"
        spellCheck={false}
        onChange={({ currentTarget: { value } }) => setAccount(value)}
      />
      <div className={classes.buttons}>
        <Button type="submit" variant="default">
          {words.show}
        </Button>
        {Object.keys(search).length > 0 && (
          <Button variant="default" onClick={() => void navigate({ to: '/admin/stream' })}>
            {words.clear}
          </Button>
        )}
      </div>
    </form>
  );
}
