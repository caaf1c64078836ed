import { useCallback, useRef, useState, type ReactNode } from 'react';
import { flushSync } from 'react-dom';
import { useSaidUntilNext } from '../../../settings/useSaidUntilNext';
import { Notice } from '../../../ui/Notice';
import classes from '../User.module.css';
import { Told } from './told';

/** Acts one below the other, and what the last of them has done: it is told here, for an act may be gone by then. */
export function ActList({ children }: { readonly children: ReactNode }) {
  const [said, setSaid] = useState<string | null>(null);
  const forget = useCallback(() => setSaid(null), []);
  const place = useRef<HTMLDivElement>(null);

  useSaidUntilNext(said !== null, forget);

  function tell(what: string) {
    flushSync(() => setSaid(what));
    place.current?.focus();
  }

  return (
    <div className={classes.acts}>
      <div ref={place} tabIndex={-1} className={classes.said}>
        {said !== null && <Notice tone="good" title={said} onClose={forget} />}
      </div>
      <Told value={tell}>{children}</Told>
    </div>
  );
}
