import { useQueryClient } from '@tanstack/react-query';
import { usageQuery } from '../api/queries';
import type { UsageAnswer } from '../api/types';
import { metersOf, type MetersSnapshot } from './rows';
import { useLiveStream } from './useLiveStream';
import type { LiveStream } from './useStream';

/** Usage as it was loaded, with newer numbers; what these do not say stays as it is. */
export function withMeters(usage: UsageAnswer, snapshot: MetersSnapshot): UsageAnswer {
  const newer = new Map(snapshot.meters.map((meter) => [meter.meter, meter]));
  const meters = usage.meters.map((meter) => {
    const found = newer.get(meter.meter);
    if (found === undefined || Date.parse(meter.as_of) > Date.parse(snapshot.as_of)) return meter;
    const { used, held, limit, remaining } = found;
    return { ...meter, used, held, limit, remaining, as_of: snapshot.as_of };
  });
  return { ...usage, meters };
}

/** Of the same meters in the same order. */
function haveSameLimits(one: UsageAnswer, other: UsageAnswer): boolean {
  return one.meters.every(({ limit }, index) => limit === other.meters[index]?.limit);
}

/** Keeps the usage that is shown as it is now, while the page is there. */
export function useLiveMeters(): LiveStream {
  const queryClient = useQueryClient();
  return useLiveStream((events) => {
    const snapshot = metersOf(events);
    if (snapshot === null) return;
    const before = queryClient.getQueryData(usageQuery.queryKey);
    const after = queryClient.setQueryData(usageQuery.queryKey, (usage) => usage && withMeters(usage, snapshot));
    // Another plan: what was told of the last one, and where the pace leads, is not in a snapshot.
    if (before && after && !haveSameLimits(before, after)) void queryClient.invalidateQueries({ queryKey: usageQuery.queryKey });
  });
}
