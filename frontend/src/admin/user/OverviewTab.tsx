import type { UserWhole } from '../../api/types';
import { planFacts } from '../../overview/planText';
import { texts } from '../../texts';
import { formatClock, formatMoment, zoneName } from '../../texts/format';
import { Panel } from '../../ui/Panel';
import type { Reader } from '../../usage/meterText';
import { UsageBar } from '../../usage/UsageBar';
import bars from '../../usage/UsageBar.module.css';
import { rolesText } from '../users/userText';
import { ActsPanel } from './acts/ActsPanel';
import classes from './User.module.css';

interface OverviewTabProps {
  readonly user: UserWhole;
  readonly reader: Reader;
}

export function OverviewTab({ user, reader }: OverviewTabProps) {
  const words = texts.adminUser;
  return (
    <div className={classes.columns}>
      <div className={classes.column}>
        <Panel heading={words.who}>
          <Facts user={user} reader={reader} />
        </Panel>
        {user.plan_terms && (
          <Panel heading={words.plan}>
            <Plan terms={user.plan_terms} user={user} reader={reader} />
          </Panel>
        )}
        {user.usage && (
          <Panel heading={texts.usage.heading}>
            <Usage usage={user.usage} reader={reader} />
          </Panel>
        )}
      </div>
      <ActsPanel user={user} />
    </div>
  );
}

function Facts({ user, reader }: OverviewTabProps) {
  const words = texts.adminUser;
  const at = (iso: string | null) => (iso === null ? words.never : formatMoment(iso, reader.zone, reader.now));
  const facts = [
    [words.email, user.email],
    [words.name, user.name ?? words.none],
    [words.status, texts.adminUsers.statuses[user.status]],
    [words.roles, user.roles.length === 0 ? words.none : rolesText(user.roles)],
    [words.secondFactor, user.mfa_enabled ? texts.adminUsers.on : texts.adminUsers.off],
    [words.created, at(user.created_at)],
    [words.verified, at(user.email_verified_at)],
    [words.lastSignIn, at(user.last_login_at)],
    ...(user.deleted_at === null ? [] : [[words.deleted, at(user.deleted_at)]]),
  ] as const;
  const ids = [
    [words.id, user.id],
    [words.accountId, user.account_id],
  ] as const;
  return (
    <dl className={classes.facts}>
      {facts.map(([term, value]) => (
        <Fact key={term} term={term} value={value} />
      ))}
      {ids.map(([term, value]) => (
        <Fact key={term} term={term} value={value} className={classes.id} />
      ))}
    </dl>
  );
}

interface FactProps {
  readonly term: string | undefined;
  readonly value: string | undefined;
  readonly className?: string | undefined;
}

function Fact({ term, value, className }: FactProps) {
  return (
    <>
      <dt>{term}</dt>
      <dd className={className}>{value}</dd>
    </>
  );
}

interface PlanProps extends OverviewTabProps {
  readonly terms: NonNullable<UserWhole['plan_terms']>;
}

function Plan({ terms, user, reader }: PlanProps) {
  const answer = { plan: terms, subscription: user.subscription };
  return (
    <dl className={classes.facts}>
      {planFacts(answer, user.usage ?? undefined, reader).map(({ term, value, note }) => (
        <Fact key={term} term={term} value={note === '' ? value : `${value} · ${note}`} />
      ))}
    </dl>
  );
}

interface UsageProps {
  readonly usage: NonNullable<UserWhole['usage']>;
  readonly reader: Reader;
}

function Usage({ usage, reader }: UsageProps) {
  const first = usage.meters[0];
  if (first === undefined) return <p className={classes.quiet}>{texts.usage.empty}</p>;
  return (
    <>
      <ul className={bars.list}>
        {usage.meters.map((meter) => (
          <UsageBar key={meter.meter} meter={meter} reader={reader} />
        ))}
      </ul>
      <p className={bars.asOf}>{texts.usage.allAsOf(formatClock(first.as_of, reader.zone, reader.now), zoneName(reader.zone))}</p>
    </>
  );
}
