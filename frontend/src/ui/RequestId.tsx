import { Button, CopyButton } from '@mantine/core';
import { texts } from '../texts';
import classes from './Notice.module.css';

/** The request id, to copy: with it, whoever runs the service finds the cause. */
export function RequestId({ id }: { readonly id: string }) {
  return (
    <span className={classes.request}>
      {texts.errors.requestId} <code>{id}</code>
      <CopyButton value={id}>
        {({ copied, copy }) => (
          <Button variant="default" size="compact-sm" onClick={copy} aria-label={texts.errors.copyRequestId}>
            <span aria-live="polite">{copied ? texts.actions.copied : texts.actions.copy}</span>
          </Button>
        )}
      </CopyButton>
    </span>
  );
}
