import { Button, CopyButton } from '@mantine/core';
import { useEffect, useRef } from 'react';
import { texts } from '../texts';
import { Notice } from '../ui/Notice';
import { Panel } from '../ui/Panel';
import settings from '../settings/Settings.module.css';
import classes from './Keys.module.css';

interface ShownKeyProps {
  readonly secret: string;
  readonly isRotated: boolean;
  readonly onDone: () => void;
}

/** A new key, this once. It stays until the reader says that they have kept it. */
export function ShownKey({ secret, isRotated, onDone }: ShownKeyProps) {
  const words = texts.keys;
  const place = useRef<HTMLElement>(null);
  useEffect(() => place.current?.focus(), []);
  return (
    <Panel heading={words.shown}>
      <Notice tone="near" title={words.shownDetail}>
        {isRotated && <p>{words.shownRotated}</p>}
      </Notice>
      <code ref={place} tabIndex={-1} className={classes.secret} aria-label={words.secret}>
        {secret}
      </code>
      <div className={settings.row}>
        <CopyButton value={secret}>
          {({ copied, copy }) => <Button onClick={copy}>{copied ? texts.actions.copied : words.copy}</Button>}
        </CopyButton>
        <Button variant="default" onClick={onDone}>
          {words.kept}
        </Button>
      </div>
    </Panel>
  );
}
