import { useId, type ReactNode } from 'react';
import { PanelBoundary } from './PanelBoundary';
import classes from './Panel.module.css';

/** A named part of a page. What breaks inside it stays inside it. */
export function Panel({ heading, children }: { readonly heading: string; readonly children: ReactNode }) {
  const id = useId();
  return (
    <section className={classes.panel} aria-labelledby={id}>
      <h2 id={id}>{heading}</h2>
      <PanelBoundary>{children}</PanelBoundary>
    </section>
  );
}
