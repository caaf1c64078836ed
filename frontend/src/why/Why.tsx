import type { ReactNode } from 'react';
import type { Explained } from '../api/types';
import { refusalHeading } from '../overview/refusalText';
import { texts } from '../texts';
import { Panel } from '../ui/Panel';
import type { Reader } from '../usage/meterText';
import type { UnitOf } from '../usage/units';
import { Fixes } from './Fixes';
import { RuleTable } from './RuleTable';
import { ThenNow } from './ThenNow';
import { WhyFacts } from './WhyFacts';
import classes from './Why.module.css';

interface WhyProps {
  readonly decision: Explained;
  readonly unitOf: UnitOf;
  readonly reader: Reader;
  /** Further facts of who reads, as pairs of dt and dd. */
  readonly facts?: ReactNode;
  /** Further steps of who reads, as items of a list: they stand where the request would still be refused. */
  readonly steps?: ReactNode;
  /** Below the steps. */
  readonly foot?: ReactNode;
}

/** A refusal whole: what it was, rule by rule, then and now, and what helps. For customers and operators alike. */
export function Why({ decision, unitOf, reader, facts, steps, foot }: WhyProps) {
  const words = texts.why;
  return (
    <>
      <Panel heading={refusalHeading(decision.code, decision.meter)}>
        <WhyFacts decision={decision} reader={reader}>
          {facts}
        </WhyFacts>
      </Panel>
      <Panel heading={words.rules}>
        <RuleTable decision={decision} unitOf={unitOf} zone={reader.zone} />
      </Panel>
      <Panel heading={words.thenNow}>
        <ThenNow decision={decision} unitOf={unitOf} reader={reader} />
        <p className={classes.quiet}>{words.same}</p>
      </Panel>
      <Panel heading={words.fixes}>
        <Fixes now={decision.now} reader={reader}>
          {steps}
        </Fixes>
        {foot}
      </Panel>
    </>
  );
}
