import { CloseButton } from '@mantine/core';
import type { ReactNode } from 'react';
import { texts } from '../texts';
import { DoneIcon, NearIcon, StopIcon } from './icons';
import classes from './Notice.module.css';

type Tone = 'over' | 'near' | 'good';

const ICONS = { over: StopIcon, near: NearIcon, good: DoneIcon };

interface NoticeProps {
  readonly tone: Tone;
  readonly title: string;
  /** It does not interrupt a screen reader, whatever its tone. */
  readonly waits?: boolean;
  readonly children?: ReactNode;
  /** Buttons and the request id, below the text. */
  readonly foot?: ReactNode;
  /** Closes it, from its corner. */
  readonly onClose?: () => void;
}

/** Something the reader has to know, where it happened. Failures interrupt a screen reader, the rest waits. */
export function Notice({ tone, title, waits = false, children, foot, onClose }: NoticeProps) {
  const Icon = ICONS[tone];
  return (
    <div className={`${classes.notice} ${classes[tone]}`} role={tone === 'over' && !waits ? 'alert' : 'status'}>
      <div className={classes.icon}>
        <Icon />
      </div>
      <div className={classes.body}>
        <div className={classes.text}>
          <p className={classes.title}>{title}</p>
          {children}
        </div>
        {foot && <div className={classes.foot}>{foot}</div>}
      </div>
      {onClose && <CloseButton className={classes.close} aria-label={texts.actions.close} onClick={onClose} />}
    </div>
  );
}
