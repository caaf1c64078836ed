import { Button, Select, TextInput } from '@mantine/core';
import { useState, type SyntheticEvent } from 'react';
import type { Me } from '../api/types';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Notice } from '../ui/Notice';
import { hintWithRoom } from '../ui/roomText';
import classes from './Settings.module.css';
import { useSaidUntilNext } from './useSaidUntilNext';
import { useSaveProfile } from './useSaveProfile';

/** Stands for "no zone of one's own" in the list; no zone is called so. */
const ACCOUNT = 'account';
const MOST_NAME = 100;

function zones(own: string): { value: string; label: string }[] {
  const all = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')];
  return [
    { value: ACCOUNT, label: texts.profile.accountZone(own.replaceAll('_', ' ')) },
    ...all.map((zone) => ({ value: zone, label: zone.replaceAll('_', ' ') })),
  ];
}

export function ProfileForm({ me }: { readonly me: Me }) {
  const [name, setName] = useState(me.name ?? '');
  const [zone, setZone] = useState(me.display_zone ?? ACCOUNT);
  const save = useSaveProfile();

  useSaidUntilNext(save.isSuccess, save.reset);

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    save.mutate({ name: name.trim() === '' ? null : name.trim(), display_zone: zone === ACCOUNT ? null : zone });
  }

  return (
    <>
      {save.isError && <ErrorNotice error={save.error} title={texts.settings.notSaved} />}
      {save.isSuccess && <Notice tone="good" title={texts.settings.saved} />}
      <form className={classes.form} onSubmit={submit} noValidate>
        <TextInput
          label={texts.profile.name}
          description={hintWithRoom(texts.profile.nameHint, name, MOST_NAME)}
          name="name"
          autoComplete="name"
          maxLength={MOST_NAME}
          size="md"
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Select
          label={texts.profile.zone}
          description={texts.profile.zoneHint}
          data={zones(me.account.time_zone)}
          value={zone}
          allowDeselect={false}
          searchable
          size="md"
          onChange={(chosen) => setZone(chosen ?? ACCOUNT)}
        />
        <Button type="submit" size="md" loading={save.isPending}>
          {texts.profile.save}
        </Button>
      </form>
    </>
  );
}
