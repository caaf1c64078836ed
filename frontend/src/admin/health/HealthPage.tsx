import { useQuery } from '@tanstack/react-query';
import { platformHealthQuery } from '../../api/adminQueries';
import type { PlatformHealth } from '../../api/types';
import { useReader } from '../../overview/useReader';
import { texts } from '../../texts';
import { formatClock, zoneName } from '../../texts/format';
import { ErrorNotice } from '../../ui/ErrorNotice';
import { DoneIcon, NearIcon, StopIcon } from '../../ui/icons';
import { Notice } from '../../ui/Notice';
import { PageHeading } from '../../ui/PageHeading';
import { Placeholder } from '../../ui/Placeholder';
import { DataTable } from '../DataTable';
import classes from './Health.module.css';

type State = PlatformHealth['state'];

const ICONS = { ok: DoneIcon, near: NearIcon, over: StopIcon } as const;
const TONES = { ok: 'good', near: 'near', over: 'over' } as const;

/** Whether everything runs, and what to do where something does not. */
export function HealthPage() {
  const reader = useReader();
  const health = useQuery(platformHealthQuery);
  const words = texts.health;
  return (
    <>
      <PageHeading>{words.heading}</PageHeading>
      {health.isPending && <Placeholder width="100%" height={560} line={584} />}
      {health.isError && (
        <ErrorNotice
          tone={health.data === undefined ? 'over' : 'near'}
          error={health.error}
          title={health.data === undefined ? words.failed : words.stale}
          onRetry={() => void health.refetch()}
        />
      )}
      {health.data && (
        <>
          <Notice tone={TONES[health.data.state]} title={words.whole[health.data.state]} waits>
            <p>{words.asOf(formatClock(health.data.as_of, reader.zone, reader.now), zoneName(reader.zone))}</p>
          </Notice>
          <div className={classes.checks}>
            <DataTable caption={words.table}>
              <thead>
                <tr>
                  <th scope="col">{words.check}</th>
                  <th scope="col">{words.state}</th>
                  <th scope="col">{words.found}</th>
                  <th scope="col">{words.whatToDo}</th>
                </tr>
              </thead>
              <tbody>
                {health.data.checks.map((check) => (
                  <tr key={check.name}>
                    <th scope="row" className={classes.fixed}>
                      {words.names[check.name] ?? check.name}
                    </th>
                    <td className={classes.fixed}>
                      <StateMark state={check.state} />
                    </td>
                    <td className={classes.cell}>{check.found}</td>
                    <td className={`${classes.cell} ${check.what_to_do === null ? classes.quiet : ''}`}>
                      {check.what_to_do ?? words.nothing}
                    </td>
                  </tr>
                ))}
              </tbody>
            </DataTable>
          </div>
        </>
      )}
    </>
  );
}

/** An icon and a word, so that colour is never the only sign. */
function StateMark({ state }: { readonly state: State }) {
  const Icon = ICONS[state];
  return (
    <span className={`${classes.state} ${classes[state]}`}>
      <Icon size={16} />
      {texts.health.states[state]}
    </span>
  );
}
