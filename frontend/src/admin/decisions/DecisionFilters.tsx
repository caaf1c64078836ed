import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState, type SyntheticEvent } from 'react';
import { noticedUsageQuery } from '../../api/queries';
import { texts } from '../../texts';
import { DayFields } from '../../ui/DayFields';
import { meterName } from '../../usage/meterText';
import classes from './Decisions.module.css';
import { decisionsSearch, type DecisionsSearch } from './decisionsSearch';
import { meantIn, withoutSecret } from './meant';

type Field = Exclude<keyof DecisionsSearch, 'user'>;

interface DecisionFiltersProps {
  readonly search: DecisionsSearch;
  readonly onShow: (search: DecisionsSearch) => void;
}

/** One box for whatever a customer gives, and filters. Nothing is asked for before it is sent. */
export function DecisionFilters({ search, onShow }: DecisionFiltersProps) {
  const words = texts.adminDecisions;
  const [typed, setTyped] = useState<Partial<Record<Field, string>>>({});
  const box = useRef<HTMLInputElement>(null);
  const usage = useQuery(noticedUsageQuery).data;
  const meters = new Map(usage?.meters.map(({ meter, name }) => [meter, name]));
  if (search.meter !== undefined && !meters.has(search.meter)) meters.set(search.meter, meterName(search.meter));

  // What a customer gave is pasted at once.
  useEffect(() => box.current?.focus(), []);

  function type(changed: Partial<Record<Field, string>>) {
    setTyped((before) => ({ ...before, ...changed }));
  }

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    onShow(decisionsSearch({ ...search, ...typed }));
  }

  return (
    <form role="search" aria-label={words.filters} className={classes.filters} onSubmit={submit} noValidate>
      <TextInput
        ref={box}
        type="search"
        label={words.q}
        description={words.qHint}
        value={typed.q ?? search.q ?? ''}
        autoComplete="off"
        spellCheck={false}
        onChange={({ currentTarget: { value } }) => type({ q: withoutSecret(value) })}
        onPaste={(event) => {
          const text = event.clipboardData.getData('text').trim();
          if (!/\s/.test(text)) return;
          // Of a whole message, what it names; the box itself would run its lines together.
          event.preventDefault();
          type({ q: meantIn(text) });
        }}
      />
      <TextInput
        label={words.account}
        description={words.accountHint}
        value={typed.account ?? search.account ?? ''}
        maxLength={200}
        autoComplete="off"
        spellCheck={false}
        onChange={({ currentTarget: { value } }) => type({ account: value })}
      />
      <NativeSelect
        label={texts.requests.code}
        value={typed.code ?? search.code ?? ''}
        data={[
          { value: '', label: texts.requests.any },
          ...Object.entries(texts.requests.codes).map(([value, label]) => ({ value, label })),
        ]}
        onChange={({ currentTarget: { value } }) => type({ code: value })}
      />
      <NativeSelect
        label={texts.requests.meter}
        value={typed.meter ?? search.meter ?? ''}
        data={[
          { value: '', label: texts.requests.any },
          ...Array.from(meters, ([value, label]) => ({ value, label })),
        ]}
        onChange={({ currentTarget: { value } }) => type({ meter: value })}
      />
      <DayFields range={{ ...search, ...typed }} onChange={type} />
      <div className={classes.buttons}>
        <Button type="submit">{words.show}</Button>
        {Object.keys(search).length > 0 && (
          <Button variant="default" onClick={() => onShow({})}>
            {texts.requests.clear}
          </Button>
        )}
        {search.user !== undefined && <span className={classes.quiet}>{words.ofUser(search.user)}</span>}
      </div>
    </form>
  );
}
