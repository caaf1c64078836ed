import type { Explained } from '../api/types';
import { texts } from '../texts';
import { Caption } from '../ui/Caption';
import { DoneIcon, SkipIcon, StopIcon } from '../ui/icons';
import type { UnitOf } from '../usage/units';
import { ruleName, ruleText, type Rule } from './ruleText';
import classes from './Why.module.css';

const ICONS = { passed: DoneIcon, failed: StopIcon } as const;

interface RuleTableProps {
  readonly decision: Pick<Explained, 'rules' | 'key'>;
  readonly unitOf: UnitOf;
  readonly zone: string;
}

/** Each rule in its order: what it said, and whether it let the request pass. */
export function RuleTable({ decision, unitOf, zone }: RuleTableProps) {
  const words = texts.why;
  return (
    <table className={`${classes.table} ${classes.rules}`}>
      <Caption>{words.rulesTable}</Caption>
      <thead>
        <tr>
          <th scope="col">{words.rule}</th>
          <th scope="col">{words.said}</th>
          <th scope="col">{words.outcome}</th>
        </tr>
      </thead>
      <tbody>
        {decision.rules.map((rule, index) => (
          <tr key={String(rule.rule)} className={classes[String(rule.outcome)]}>
            <th scope="row">
              <span className={classes.place}>{index + 1}</span> {ruleName(String(rule.rule))}
            </th>
            <td>{ruleText(rule, { key: decision.key, unitOf, zone })}</td>
            <td>
              <Outcome rule={rule} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** An icon and a word, so that colour is never the only sign. */
function Outcome({ rule }: { readonly rule: Rule }) {
  const outcome = String(rule.outcome);
  const Icon = outcome === 'passed' || outcome === 'failed' ? ICONS[outcome] : SkipIcon;
  return (
    <span className={classes.outcome}>
      <Icon size={16} />
      {texts.why.outcomes[outcome] ?? outcome}
    </span>
  );
}
