import type { ReactNode } from 'react';
import { Caption } from '../ui/Caption';
import classes from './History.module.css';

interface TableBoxProps {
  /** What the table is about. */
  readonly caption: string;
  readonly children: ReactNode;
}

/** A table of figures in a box of its own: what has no room scrolls inside it, and the page does not. */
export function TableBox({ caption, children }: TableBoxProps) {
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls is reached by the keyboard, too
    <div className={classes.box} role="group" aria-label={caption} tabIndex={0}>
      <table className={classes.table}>
        <Caption>{caption}</Caption>
        {children}
      </table>
    </div>
  );
}
