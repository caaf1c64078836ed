import type { ReactNode } from 'react';
import { Caption } from '../ui/Caption';
import classes from './DataTable.module.css';

interface DataTableProps {
  /** What the table is about. */
  readonly caption: string;
  /** While the rows are those of before. */
  readonly isBusy?: boolean;
  /** Where there is no room for its columns, each row is a block: a cell is told by its `data-label`. */
  readonly stacks?: boolean;
  readonly children: ReactNode;
}

/** Rows of a long list, in a box of their own: what has no room scrolls sideways inside it. */
export function DataTable({ caption, isBusy = false, stacks = false, children }: DataTableProps) {
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls is reached by the keyboard, too
    <div className={classes.box} role="group" aria-label={caption} tabIndex={0} aria-busy={isBusy}>
      <table className={`${classes.table} ${stacks ? classes.stacks : ''}`}>
        <Caption>{caption}</Caption>
        {children}
      </table>
    </div>
  );
}
