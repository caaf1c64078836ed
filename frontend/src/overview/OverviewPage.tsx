import { texts } from '../texts';
import { PageHeading } from '../ui/PageHeading';
import { Panel } from '../ui/Panel';
import { UsagePanel } from '../usage/UsagePanel';
import { PlanPanel } from './PlanPanel';
import { RecentDenials } from './RecentDenials';
import { SpendPanel } from './SpendPanel';
import { useReader } from './useReader';

export function OverviewPage() {
  const reader = useReader();
  return (
    <>
      <PageHeading>{texts.overview.heading}</PageHeading>
      <Panel heading={texts.plan.heading}>
        <PlanPanel reader={reader} />
      </Panel>
      <Panel heading={texts.usage.heading}>
        <UsagePanel reader={reader} />
      </Panel>
      <Panel heading={texts.spend.heading}>
        <SpendPanel reader={reader} />
      </Panel>
      <Panel heading={texts.requests.recent}>
        <RecentDenials reader={reader} />
      </Panel>
    </>
  );
}
