import { Anchor } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { usageQuery } from '../api/queries';
import { useReader } from '../overview/useReader';
import { texts } from '../texts';
import { PageHeading } from '../ui/PageHeading';
import { Panel } from '../ui/Panel';
import { HistoryPanel } from './HistoryPanel';
import { HistorySkeleton } from './HistorySkeleton';
import { meterName } from './meterText';
import type { Period } from './period';
import { UsagePanel } from './UsagePanel';

interface MeterPageProps {
  /** The key of the meter, as the address names it. */
  readonly name: string;
  readonly period: Period;
  readonly byKey: boolean;
}

/** One meter: how it stands, and its usage over time. */
export function MeterPage({ name, period, byKey }: MeterPageProps) {
  const reader = useReader();
  const usage = useQuery(usageQuery);
  const meter = usage.data?.meters.find((one) => one.meter === name);
  if (usage.data !== undefined && meter === undefined) return <UnknownMeter name={name} />;
  return (
    <>
      <PageHeading>{meter?.name ?? meterName(name)}</PageHeading>
      <Panel heading={texts.usage.now}>
        <UsagePanel reader={reader} only={name} />
      </Panel>
      {/* Without its meter nothing is known about the time before, and the panel above says why. */}
      {(meter !== undefined || usage.isPending) && (
        <Panel heading={texts.history.heading}>
          {meter === undefined ? (
            <HistorySkeleton />
          ) : (
            <HistoryPanel meter={meter} period={period} byKey={byKey} reader={reader} />
          )}
        </Panel>
      )}
      <AllMeters />
    </>
  );
}

/** An address may be mistyped, and a plan may count something else than the last one. */
function UnknownMeter({ name }: { readonly name: string }) {
  return (
    <>
      <PageHeading>{texts.usage.unknown}</PageHeading>
      <p>{texts.usage.unknownDetail(name)}</p>
      <AllMeters />
    </>
  );
}

function AllMeters() {
  return (
    <p>
      <Anchor component={Link} to="/app/usage">
        {texts.usage.all}
      </Anchor>
    </p>
  );
}
