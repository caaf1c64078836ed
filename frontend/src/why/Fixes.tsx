import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Explained } from '../api/types';
import { texts } from '../texts';
import { formatMoment } from '../texts/format';
import type { Reader } from '../usage/meterText';
import classes from './Why.module.css';

type Fix = Explained['now']['fixes'][number];

interface FixesProps {
  readonly now: Explained['now'];
  readonly reader: Reader;
  /** Further steps of who reads, below those that the server offers. */
  readonly children?: ReactNode;
}

/** What would let the same request pass now. */
export function Fixes({ now, reader, children }: FixesProps) {
  const words = texts.why;
  if (now.allowed === true) return <p>{words.none}</p>;
  if (now.allowed === null) return <p>{words.tryAgain}</p>;
  return (
    <ul className={classes.fixes}>
      {now.fixes.map((fix) => (
        <li key={fix.text}>{fixText(fix, reader)}</li>
      ))}
      {children}
    </ul>
  );
}

/** A moment is told as this app tells moments; all else in the server's words. */
function fixText({ at, text }: Fix, reader: Reader): string {
  return at == null ? text : texts.refusal.waitUntil(formatMoment(at, reader.zone, reader.now));
}

/** The rooms of the account in which the reason can be looked at, and changed. */
export function Rooms({ decision }: { readonly decision: Explained }) {
  const words = texts.why.links;
  const meter = decision.code === 'quota_exceeded' ? decision.meter : null;
  const isRate = decision.code === 'rate_limited' || decision.code === 'concurrency_limited';
  return (
    <p className={classes.rooms}>
      {meter !== null && (
        <Link to="/app/usage/$meter" params={{ meter }}>
          {words.usage}
        </Link>
      )}
      {isRate && (
        <Link to="/app/limits">{words.limits}</Link>
      )}
      <Link to="/app/plans">{words.plans}</Link>
    </p>
  );
}
