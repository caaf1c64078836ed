import classes from './Caption.module.css';

/** What a table is, for who does not see where it stands. */
export function Caption({ children }: { readonly children: string }) {
  return <caption className={classes.caption}>{children}</caption>;
}
