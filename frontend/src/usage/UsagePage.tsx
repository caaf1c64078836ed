import { useReader } from '../overview/useReader';
import { texts } from '../texts';
import { PageHeading } from '../ui/PageHeading';
import { Panel } from '../ui/Panel';
import { UsagePanel } from './UsagePanel';

/** Every meter of the plan, with the way to its usage over time. */
export function UsagePage() {
  const reader = useReader();
  return (
    <>
      <PageHeading>{texts.usage.heading}</PageHeading>
      <Panel heading={texts.usage.all}>
        <UsagePanel reader={reader} />
      </Panel>
    </>
  );
}
