import { Link } from '@tanstack/react-router';
import { texts } from '../texts';
import { formatCount } from '../texts/format';
import classes from './PageLinks.module.css';

/** The API gives no row beyond these. */
const MOST_ROWS = 10_000;

interface PageLinksProps {
  /** What the pages are pages of. */
  readonly label: string;
  readonly page: number;
  readonly pageSize: number;
  readonly total: number;
  /** Where it is false, there are at least `total`. */
  readonly isExact: boolean;
  /** How many are on this page. */
  readonly shown: number;
}

/** The way to the next and the last page of a list whose page is in the address. */
export function PageLinks({ label, page, pageSize, total, isExact, shown }: PageLinksProps) {
  const words = texts.admin.pages;
  const hasNext =
    shown === pageSize && (!isExact || page * pageSize < total) && (page + 1) * pageSize <= MOST_ROWS;
  if (page === 1 && !hasNext) return null;
  return (
    <nav aria-label={label} className={classes.pages}>
      {page > 1 && (
        <Link to="." search={(before) => ({ ...before, page: page - 1 })} rel="prev">
          {words.previous}
        </Link>
      )}
      <span>
        {isExact
          ? words.of(formatCount(page), formatCount(Math.max(1, Math.ceil(total / pageSize))))
          : words.page(formatCount(page))}
      </span>
      {hasNext && (
        <Link to="." search={(before) => ({ ...before, page: page + 1 })} rel="next">
          {words.next}
        </Link>
      )}
    </nav>
  );
}
