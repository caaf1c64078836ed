import { useQuery } from '@tanstack/react-query';
import { statisticsQuery } from '../../api/adminQueries';
import { useReader } from '../../overview/useReader';
import { texts } from '../../texts';
import { formatClock, zoneName } from '../../texts/format';
import { ErrorNotice } from '../../ui/ErrorNotice';
import { PageHeading } from '../../ui/PageHeading';
import { Panel } from '../../ui/Panel';
import { Placeholder } from '../../ui/Placeholder';
import { useOperator } from '../useOperator';
import { Figures } from './Figures';
import { NewestRefusals } from './NewestRefusals';

/** The platform in numbers. */
export function OverviewPage() {
  const reader = useReader();
  const { may } = useOperator();
  const statistics = useQuery(statisticsQuery);
  const words = texts.admin.overview;
  return (
    <>
      <PageHeading>{words.heading}</PageHeading>
      {statistics.isPending && <Placeholder width="100%" height={520} line={544} />}
      {statistics.isError && (
        <ErrorNotice error={statistics.error} title={words.failed} onRetry={() => void statistics.refetch()} />
      )}
      {statistics.data && (
        <>
          <p>{words.asOf(`${formatClock(statistics.data.as_of, reader.zone, reader.now)} ${zoneName(reader.zone)}`)}</p>
          <Figures statistics={statistics.data} />
        </>
      )}
      {may('decisions.read') && (
        <Panel heading={words.refusals}>
          <NewestRefusals reader={reader} />
        </Panel>
      )}
    </>
  );
}
