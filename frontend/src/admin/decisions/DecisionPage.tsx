import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { refusalQuery } from '../../api/adminDecisions';
import { ApiError } from '../../api/problem';
import type { RefusalWhole } from '../../api/types';
import { useReader } from '../../overview/useReader';
import { texts } from '../../texts';
import { ErrorNotice } from '../../ui/ErrorNotice';
import { Notice } from '../../ui/Notice';
import { PageHeading } from '../../ui/PageHeading';
import { Panel } from '../../ui/Panel';
import { Placeholder } from '../../ui/Placeholder';
import { formatAmount } from '../../usage/amount';
import type { Reader } from '../../usage/meterText';
import { useUnits } from '../../usage/units';
import { Why } from '../../why/Why';
import { useOperator } from '../useOperator';
import { DecisionFacts } from './DecisionFacts';
import { GrantHere } from './GrantHere';
import { SimulatePanel } from './SimulatePanel';
import { WayOn } from './WayOn';

/** Why somebody's request was refused, what would let it pass, and the way to let it. `name` is a decision's or a request's id. */
export function DecisionPage({ name }: { readonly name: string }) {
  const reader = useReader();
  const found = useQuery(refusalQuery(name));
  const words = texts.adminDecisions;
  const status = found.error instanceof ApiError ? found.error.status : null;
  return (
    <>
      <p>
        <Link to="/admin/decisions">{words.back}</Link>
      </p>
      <PageHeading>{texts.why.heading}</PageHeading>
      {found.isPending && <Placeholder width="100%" height={640} line={680} />}
      {status === 404 && (
        <Notice tone="near" title={texts.why.missing}>
          <p>{words.missing(name)}</p>
        </Notice>
      )}
      {status === 409 && (
        <Notice
          tone="near"
          title={words.several}
          foot={
            <Link to="/admin/decisions" search={{ q: name }}>
              {words.choose}
            </Link>
          }
        />
      )}
      {found.isError && status !== 404 && status !== 409 && (
        <ErrorNotice
          tone={found.data === undefined ? 'over' : 'near'}
          error={found.error}
          title={found.data === undefined ? texts.why.failed : texts.why.stale}
          onRetry={() => void found.refetch()}
        />
      )}
      {found.data !== undefined && status !== 404 && <Whole decision={found.data} reader={reader} />}
    </>
  );
}

function Whole({ decision, reader }: { readonly decision: RefusalWhole; readonly reader: Reader }) {
  const unitOf = useUnits();
  const operator = useOperator();
  const [given, setGiven] = useState<string | null>(null);
  const words = texts.adminDecisions;
  const { account } = decision;
  const { grant } = decision.now;
  const isOwn = account.user_id === operator.userId && !operator.isSuperadmin;
  return (
    <>
      {given !== null && (
        <Notice tone="good" title={given} foot={<Given account={account} />} onClose={() => setGiven(null)} />
      )}
      <Why
        decision={decision}
        unitOf={unitOf}
        reader={reader}
        facts={<DecisionFacts decision={decision} />}
        steps={grant !== null && <li>{words.missingAmount(formatAmount(grant, unitOf(decision.meter)))}</li>}
        foot={<WayOn decision={decision} />}
      />
      {grant !== null && decision.meter !== null && operator.may('overrides.write') && (
        <Panel heading={words.grant}>
          {isOwn ? (
            <p>{texts.adminUser.overrides.oneself}</p>
          ) : (
            <GrantHere
              decision={decision}
              meter={decision.meter}
              missing={grant}
              unit={unitOf(decision.meter)}
              reader={reader}
              onSaid={setGiven}
            />
          )}
        </Panel>
      )}
      <Panel heading={words.suppose}>
        <SimulatePanel decision={decision} unitOf={unitOf} reader={reader} />
      </Panel>
    </>
  );
}

/** The way to what was given, where it can be taken back. */
function Given({ account }: Pick<RefusalWhole, 'account'>) {
  const words = texts.adminDecisions;
  if (account.user_id === null) {
    return (
      <Link to="/admin/overrides" search={{ q: account.id }}>
        {words.seeGiven}
      </Link>
    );
  }
  return (
    <Link to="/admin/users/$userId" params={{ userId: account.user_id }} search={{ tab: 'overrides' }}>
      {words.seeGiven}
    </Link>
  );
}
