import { Anchor } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useLiveMeters } from '../live/useLiveMeters';
import { useReader } from '../overview/useReader';
import { texts } from '../texts';
import { PageHeading } from '../ui/PageHeading';
import { Panel } from '../ui/Panel';
import { UsagePanel } from './UsagePanel';

/** Every meter of the plan, as it moves, with the way to its usage over time. */
export function UsagePage() {
  const reader = useReader();
  useLiveMeters();
  return (
    <>
      <PageHeading>{texts.usage.heading}</PageHeading>
      <Panel heading={texts.usage.all}>
        <UsagePanel reader={reader} />
      </Panel>
      <p>
        <Anchor component={Link} to="/app/live">
          {texts.live.link}
        </Anchor>
      </p>
    </>
  );
}
