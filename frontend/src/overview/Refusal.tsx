import { Anchor } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { Problem } from '../api/problem';
import { texts } from '../texts';
import { Notice } from '../ui/Notice';
import { RequestId } from '../ui/RequestId';
import type { Reader } from '../usage/meterText';
import classes from './Refusal.module.css';
import { refusalText } from './refusalText';
import { useUpgradeLink } from './useUpgradeLink';

/** Why something was refused, and what helps. */
export function Refusal({ problem, reader }: { readonly problem: Problem; readonly reader: Reader }) {
  const text = refusalText(problem, reader);
  const upgrade = useUpgradeLink(problem.upgradeUrl);
  return (
    <Notice
      tone="over"
      title={text.heading}
      foot={problem.requestId === null ? undefined : <RequestId id={problem.requestId} />}
    >
      <p>{text.sentences.join(' ')}</p>
      <dl className={classes.facts}>
        {text.facts.map((fact) => (
          <div key={fact.term}>
            <dt>{fact.term}</dt>
            <dd>{fact.value}</dd>
          </div>
        ))}
      </dl>
      <p className={classes.next}>{texts.refusal.next}</p>
      <ul className={classes.steps}>
        {text.steps.map((step) => (
          <li key={step}>{step}</li>
        ))}
      </ul>
      {problem.decisionId !== null && (
        <Link to="/app/requests/$decision" params={{ decision: problem.decisionId }}>
          {texts.refusal.why}
        </Link>
      )}
      {upgrade !== null && (
        <Anchor
          {...(upgrade.startsWith('/') ? { component: Link, to: upgrade } : { href: upgrade })}
          underline="always"
        >
          {texts.refusal.upgrade}
        </Anchor>
      )}
    </Notice>
  );
}
