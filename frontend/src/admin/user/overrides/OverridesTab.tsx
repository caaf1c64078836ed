import { useQuery } from '@tanstack/react-query';
import { userOverridesQuery } from '../../../api/adminQueries';
import { api } from '../../../api/client';
import { answerOf } from '../../../api/problem';
import type { GivenOverride, MeterUsage, UserWhole } from '../../../api/types';
import { texts } from '../../../texts';
import { ErrorNotice } from '../../../ui/ErrorNotice';
import { Panel } from '../../../ui/Panel';
import { Placeholder } from '../../../ui/Placeholder';
import type { Reader } from '../../../usage/meterText';
import { Giver } from '../../overrides/Giver';
import { PageLinks } from '../../PageLinks';
import { useOperator } from '../../useOperator';
import { Act } from '../acts/Act';
import { ActList } from '../acts/ActList';
import classes from '../User.module.css';
import { GrantForm } from './GrantForm';
import { changeText, factsOf } from './overrideText';

interface OverridesTabProps {
  readonly user: UserWhole;
  readonly page: number;
  readonly reader: Reader;
}

/** Limits of the user's own account beside its plan's: those that were ever given, and the way to give another. */
export function OverridesTab({ user, page, reader }: OverridesTabProps) {
  const given = useQuery(userOverridesQuery(user.id, page));
  const operator = useOperator();
  const barred = operator.isSuperadmin ? null : operator.barredFrom(user);
  const mayWrite = operator.may('overrides.write');
  const meters = user.usage?.meters ?? [];
  const words = texts.adminUser.overrides;
  return (
    <>
      <Panel heading={words.heading}>
        {given.isPending && <Placeholder width="100%" height={96} line={120} />}
        {given.isError && (
          <ErrorNotice error={given.error} title={words.failed} onRetry={() => void given.refetch()} />
        )}
        {given.data?.items.length === 0 && <p className={classes.quiet}>{words.none}</p>}
        <ActList>
          {given.data?.items.map((one) => (
            <Line key={one.id} given={one} mayTake={mayWrite && barred === null} userId={user.id} meters={meters} reader={reader} />
          ))}
        </ActList>
        {given.data && (
          <PageLinks
            label={words.pages}
            page={given.data.page}
            pageSize={given.data.page_size}
            total={given.data.total}
            isExact
            shown={given.data.items.length}
          />
        )}
      </Panel>
      {mayWrite && barred !== null && <p className={classes.quiet}>{barred === 'oneself' ? words.oneself : texts.adminUser.isOperator}</p>}
      {mayWrite && barred === null && meters.length > 0 && (
        <Panel heading={words.grant}>
          <GrantForm userId={user.id} meters={meters} reader={reader} />
        </Panel>
      )}
    </>
  );
}

interface LineProps {
  readonly given: GivenOverride;
  readonly mayTake: boolean;
  readonly userId: string;
  readonly meters: readonly MeterUsage[];
  readonly reader: Reader;
}

function Line({ given, mayTake, userId, meters, reader }: LineProps) {
  const words = texts.adminUser.overrides;
  const name = changeText(given, meters);
  const detail = (
    <>
      <p>
        {factsOf(given, reader)} · {words.by} <Giver given={given} />
      </p>
      <p className={classes.note}>{given.reason}</p>
    </>
  );
  if (!mayTake || !['scheduled', 'in_force'].includes(given.state)) {
    return (
      <div className={classes.act}>
        <div>
          <h3>{name}</h3>
          <div className={classes.quiet}>{detail}</div>
        </div>
      </div>
    );
  }
  async function act() {
    const path = { user_id: userId, override_id: given.id };
    await answerOf(api.DELETE('/v1/admin/users/{user_id}/overrides/{override_id}', { params: { path } }));
    return words.taken(name);
  }
  return <Act {...words.takeBack} name={name} detail={detail} act={act} />;
}
