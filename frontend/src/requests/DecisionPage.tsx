import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { ApiError } from '../api/problem';
import { explainedQuery } from '../api/queries';
import { useReader } from '../overview/useReader';
import { texts } from '../texts';
import { formatCount } from '../texts/format';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Notice } from '../ui/Notice';
import { PageHeading } from '../ui/PageHeading';
import { Placeholder } from '../ui/Placeholder';
import { useUnits } from '../usage/units';
import { Rooms } from '../why/Fixes';
import { Why } from '../why/Why';

/** Why one request of the account was refused. `name` is the id of the decision, or of the request. */
export function DecisionPage({ name }: { readonly name: string }) {
  const reader = useReader();
  const unitOf = useUnits();
  const found = useQuery(explainedQuery(name));
  const words = texts.why;
  const isMissing = found.error instanceof ApiError && found.error.status === 404;
  return (
    <>
      <PageHeading>{words.heading}</PageHeading>
      {found.isPending && <Placeholder width="100%" height={480} line={520} />}
      {found.isError && !isMissing && (
        <ErrorNotice
          tone={found.data === undefined ? 'over' : 'near'}
          error={found.error}
          title={found.data === undefined ? words.failed : words.stale}
          onRetry={() => void found.refetch()}
        />
      )}
      {isMissing && (
        <Notice tone="near" title={words.missing}>
          <p>{words.missingDetail(name)}</p>
        </Notice>
      )}
      {found.data !== undefined && !isMissing && (
        <Why
          decision={found.data}
          unitOf={unitOf}
          reader={reader}
          facts={
            <>
              <dt>{words.plan}</dt>
              <dd>{words.planValue(found.data.plan, formatCount(found.data.plan_version))}</dd>
            </>
          }
          foot={<Rooms decision={found.data} />}
        />
      )}
      <p>
        <Link to="/app/requests">{words.back}</Link>
      </p>
    </>
  );
}
