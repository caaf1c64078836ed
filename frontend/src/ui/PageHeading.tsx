import { useEffect, useRef } from 'react';
import { texts } from '../texts';

/** The first page keeps the browser's own start; every later one is announced by moving the focus to its heading. */
let shownBefore: string | null = null;

/** The one heading of a page, its title in the browser, and where keyboard and screen reader land after a change. */
export function PageHeading({ children }: { readonly children: string }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (shownBefore !== null && shownBefore !== children) heading.current?.focus();
    shownBefore = children;
  }, [children]);
  return (
    <>
      <title>{texts.title(children)}</title>
      <h1 ref={heading} tabIndex={-1}>
        {children}
      </h1>
    </>
  );
}
