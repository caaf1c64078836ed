import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState, type SyntheticEvent } from 'react';
import { api } from '../api/client';
import { answerOf } from '../api/problem';
import type { NewKey } from '../api/types';
import settings from '../settings/Settings.module.css';
import { texts } from '../texts';
import { formatCount } from '../texts/format';
import { ErrorNotice } from '../ui/ErrorNotice';
import { hintWithRoom } from '../ui/roomText';

const DAY_MS = 86_400_000;
const LIFETIMES = [30, 90, 365] as const;
const MOST = 1_000_000;
const MOST_NAME = 100;

interface Wanted {
  readonly name: string;
  readonly scopes: string[];
  readonly days: number | null;
  readonly perMinute: number | null;
}

function make({ name, scopes, days, perMinute }: Wanted): Promise<NewKey> {
  const expires = days === null ? null : new Date(Date.now() + days * DAY_MS).toISOString();
  return answerOf(api.POST('/v1/keys', { body: { name, scopes, expires_at: expires, rate_limit_per_minute: perMinute } }));
}

/** What the text of a limit says; undefined where it says none. */
function limitOf(text: string): number | null | undefined {
  if (text.trim() === '') return null;
  return /^\d{1,7}$/.test(text.trim()) && Number(text) <= MOST ? Number(text) : undefined;
}

export function NewKeyForm({ onMade }: { readonly onMade: (made: NewKey) => void }) {
  const [name, setName] = useState('');
  const [scope, setScope] = useState('usage:write');
  const [days, setDays] = useState('');
  const [limit, setLimit] = useState('');
  const [isChecked, setIsChecked] = useState(false);
  const words = texts.keys;
  const making = useMutation({
    mutationFn: make,
    onSuccess: (made) => {
      setName('');
      setIsChecked(false);
      onMade(made);
    },
  });
  const perMinute = limitOf(limit);

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setIsChecked(true);
    if (name.trim() === '' || perMinute === undefined) return;
    const scopes = scope === 'usage:write' ? [] : [scope];
    making.mutate({ name: name.trim(), scopes, days: days === '' ? null : Number(days), perMinute });
  }

  return (
    <form className={settings.form} onSubmit={submit} noValidate>
      {making.isError && <ErrorNotice error={making.error} title={words.notMade} />}
      <TextInput
        label={words.name}
        description={hintWithRoom(words.nameHint, name, MOST_NAME)}
        name="key-name"
        autoComplete="off"
        maxLength={MOST_NAME}
        size="md"
        value={name}
        error={isChecked && name.trim() === '' ? words.nameMissing : undefined}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <NativeSelect
        label={words.scope}
        size="md"
        data={[
          { value: 'usage:write', label: words.readAndSpend },
          { value: 'usage:read', label: words.readOnly },
        ]}
        value={scope}
        onChange={(event) => setScope(event.currentTarget.value)}
      />
      <NativeSelect
        label={words.expiry}
        size="md"
        data={[
          { value: '', label: words.never },
          ...LIFETIMES.map((count) => ({ value: String(count), label: words.days(formatCount(count)) })),
        ]}
        value={days}
        onChange={(event) => setDays(event.currentTarget.value)}
      />
      <TextInput
        label={words.perMinute}
        description={perMinute === 0 ? words.perMinuteNone : words.perMinuteHint}
        inputMode="numeric"
        autoComplete="off"
        size="md"
        value={limit}
        error={isChecked && perMinute === undefined ? words.perMinuteWrong : undefined}
        onChange={(event) => setLimit(event.currentTarget.value)}
      />
      <Button type="submit" size="md" loading={making.isPending}>
        {words.submit}
      </Button>
    </form>
  );
}
