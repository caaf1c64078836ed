import { Button, TextInput } from '@mantine/core';
import { useId, useState, type SyntheticEvent } from 'react';
import { texts } from '../../texts';
import { DayFields, isBackwards } from '../../ui/DayFields';
import classes from './Audit.module.css';
import { auditSearch, isUser, type AuditSearch } from './auditSearch';
import { KNOWN_ACTS } from './knownActs';

const FIELDS = ['action', 'actor', 'target', 'request'] as const;
type Field = (typeof FIELDS)[number];

interface AuditFiltersProps {
  readonly search: AuditSearch;
  readonly onShow: (search: AuditSearch) => void;
}

/** Which acts are listed. Nothing is asked for before it is sent. */
export function AuditFilters({ search, onShow }: AuditFiltersProps) {
  const words = texts.audit;
  const [typed, setTyped] = useState<Partial<Record<Field | 'from' | 'until', string>>>({});
  const [isChecked, setIsChecked] = useState(false);
  const wanted: Record<string, unknown> = { ...search, ...typed, page: undefined };
  const actor = typeof wanted.actor === 'string' ? wanted.actor.trim() : '';
  const isWrong = actor !== '' && !isUser(actor);
  const days = { ...search, ...typed };
  const acts = useId();

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setIsChecked(true);
    if (!isWrong && !isBackwards(days)) onShow(auditSearch({ ...wanted, actor }));
  }

  return (
    <form role="search" aria-label={words.filters} className={classes.filters} onSubmit={submit} noValidate>
      {FIELDS.map((name) => (
        <TextInput
          key={name}
          label={words.fields[name]}
          description={words.hints[name]}
          value={typed[name] ?? search[name] ?? ''}
          error={name === 'actor' && isChecked && isWrong ? words.actorWrong : undefined}
          maxLength={320}
          autoComplete="off"
          spellCheck={false}
          list={name === 'action' ? acts : undefined}
          onChange={({ currentTarget: { value } }) => setTyped({ ...typed, [name]: value })}
        />
      ))}
      <datalist id={acts}>
        {KNOWN_ACTS.map((act) => (
          <option key={act} value={act} />
        ))}
      </datalist>
      <DayFields range={days} onChange={(changed) => setTyped({ ...typed, ...changed })} />
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
