import type { ReactNode } from 'react';
import type { Explained } from '../api/types';
import { texts } from '../texts';
import { formatClock, formatCount, zoneName } from '../texts/format';
import { StopIcon } from '../ui/icons';
import { RequestId } from '../ui/RequestId';
import type { Reader } from '../usage/meterText';
import classes from './Why.module.css';

interface WhyFactsProps {
  readonly decision: Explained;
  readonly reader: Reader;
  /** Further facts, as pairs of dt and dd. */
  readonly children?: ReactNode;
}

/** What was refused, when, how often, and by which names it is known. */
export function WhyFacts({ decision, reader, children }: WhyFactsProps) {
  const words = texts.why;
  const [first, ...others] = decision.request_ids;
  return (
    <div className={classes.facts}>
      <p className={classes.denied}>
        <StopIcon />
        <span>
          {words.denied} <code>{decision.code}</code>
        </span>
      </p>
      <dl>
        <dt>{words.when}</dt>
        <dd>{whenText(decision, reader)}</dd>
        {decision.count > 1 && (
          <>
            <dt>{words.times}</dt>
            <dd>{words.timesValue(formatCount(decision.count))}</dd>
          </>
        )}
        <dt>{words.call}</dt>
        <dd>
          <code>
            {decision.method} {decision.path}
          </code>
        </dd>
        {children}
        <dt>{words.decision}</dt>
        <dd>
          <code>{decision.id}</code>
        </dd>
      </dl>
      {first !== undefined && <RequestId id={first} />}
      {others.length > 0 && (
        <details>
          <summary>{words.idsMore(formatCount(decision.request_ids.length), formatCount(decision.count))}</summary>
          <ul className={classes.ids}>
            {decision.request_ids.map((id, index) => (
              // A caller may name several requests alike.
              <li key={`${index} ${id}`}>
                <code>{id}</code>
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

/** One moment, or from the first to the last of equal ones. */
function whenText({ first_at: first, last_at: last }: Explained, { zone, now }: Reader): string {
  const [one, other] = [formatClock(first, zone, now), formatClock(last, zone, now)];
  return one === other ? texts.why.moment(one, zoneName(zone)) : texts.why.span(one, other, zoneName(zone));
}
