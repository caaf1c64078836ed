import { Button, Checkbox, CopyButton } from '@mantine/core';
import { useState } from 'react';
import { texts } from '../texts';
import { Notice } from '../ui/Notice';
import classes from './Settings.module.css';

interface RecoveryCodesProps {
  readonly codes: readonly string[];
  readonly onDone: () => void;
}

/** The codes for when the authenticator is lost. They are shown once, and are kept before the page goes on. */
export function RecoveryCodes({ codes, onDone }: RecoveryCodesProps) {
  const [kept, setKept] = useState(false);
  const words = texts.secondFactor;
  const file = `${codes.join('\n')}\n`;
  return (
    <>
      <Notice tone="good" title={words.codesHeading}>
        <p>{words.codesLead}</p>
      </Notice>
      <ul className={classes.codes}>
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
      <div className={classes.row}>
        <CopyButton value={file}>
          {({ copied, copy }) => (
            <Button variant="default" onClick={copy}>
              {copied ? texts.actions.copied : words.copyCodes}
            </Button>
          )}
        </CopyButton>
        <Button
          variant="default"
          component="a"
          href={`data:text/plain;charset=utf-8,${encodeURIComponent(file)}`}
          download={words.fileName}
        >
          {words.download}
        </Button>
      </div>
      <Checkbox label={words.kept} checked={kept} onChange={(event) => setKept(event.currentTarget.checked)} />
      <div className={classes.row}>
        <Button disabled={!kept} onClick={onDone}>
          {words.done}
        </Button>
      </div>
    </>
  );
}
