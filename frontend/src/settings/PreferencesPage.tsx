import { Button, Radio, Select, Stack, useMantineColorScheme } from '@mantine/core';
import { useState, type SyntheticEvent } from 'react';
import type { Me } from '../api/types';
import { language, LANGUAGES, languageFor, texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Notice } from '../ui/Notice';
import { PageHeading } from '../ui/PageHeading';
import { Panel } from '../ui/Panel';
import { OfUser } from './OfUser';
import classes from './Settings.module.css';
import { SettingsNav } from './SettingsNav';
import { useSaidUntilNext } from './useSaidUntilNext';
import { useSaveProfile } from './useSaveProfile';

const THEMES = ['auto', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];

/** How things look to the reader, wherever they sign in. */
export function PreferencesPage() {
  return (
    <>
      <PageHeading>{texts.preferences.heading}</PageHeading>
      <SettingsNav />
      <OfUser>
        {(me) => (
          <Panel heading={texts.preferences.look}>
            <PreferencesForm me={me} />
          </Panel>
        )}
      </OfUser>
    </>
  );
}

function PreferencesForm({ me }: { readonly me: Me }) {
  const [theme, setTheme] = useState<Theme>(me.theme ?? 'auto');
  const [tag, setTag] = useState(me.language === null ? language() : languageFor([me.language]));
  const { setColorScheme } = useMantineColorScheme();
  const save = useSaveProfile();

  useSaidUntilNext(save.isSuccess, save.reset);

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    save.mutate({ theme, language: tag }, { onSuccess: () => setColorScheme(theme) });
  }

  return (
    <>
      {save.isError && <ErrorNotice error={save.error} title={texts.settings.notSaved} />}
      {save.isSuccess && <Notice tone="good" title={texts.settings.saved} />}
      <form className={classes.form} onSubmit={submit}>
        <Radio.Group
          label={texts.preferences.theme}
          value={theme}
          onChange={(chosen) => setTheme(THEMES.find((known) => known === chosen) ?? 'auto')}
        >
          <Stack gap={8} mt={8}>
            {THEMES.map((known) => (
              <Radio key={known} value={known} label={texts.preferences[known]} />
            ))}
          </Stack>
        </Radio.Group>
        <Select
          label={texts.preferences.language}
          description={texts.preferences.languageHint}
          data={LANGUAGES.map((known) => ({ value: known.tag, label: known.language }))}
          value={tag}
          allowDeselect={false}
          size="md"
          onChange={(chosen) => setTag(languageFor([chosen]))}
        />
        <Button type="submit" size="md" loading={save.isPending}>
          {texts.preferences.save}
        </Button>
      </form>
    </>
  );
}
