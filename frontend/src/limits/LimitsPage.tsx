import { useReader } from '../overview/useReader';
import { texts } from '../texts';
import { PageHeading } from '../ui/PageHeading';
import { Panel } from '../ui/Panel';
import { UsagePanel } from '../usage/UsagePanel';
import { RatePanel } from './RatePanel';

/** Each limit that applies to the account, with its state. */
export function LimitsPage() {
  const reader = useReader();
  return (
    <>
      <PageHeading>{texts.limits.heading}</PageHeading>
      <Panel heading={texts.limits.quotas}>
        <UsagePanel reader={reader} />
      </Panel>
      <Panel heading={texts.limits.rates}>
        <RatePanel reader={reader} />
      </Panel>
    </>
  );
}
