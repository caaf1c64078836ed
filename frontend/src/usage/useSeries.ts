import { useQuery } from '@tanstack/react-query';
import { meQuery, seriesQuery } from '../api/queries';
import type { MeterUsage } from '../api/types';
import { knownZone } from '../texts/format';
import { PERIODS, startOf, type Period } from './period';

/** Where a period begins by the account's clock, which a meter has told, and in its zone; null while that loads. */
export function useStart(meter: MeterUsage, period: Period): string | null {
  const me = useQuery(meQuery);
  return me.isPending ? null : startOf(period, new Date(meter.as_of), knownZone(me.data?.account.time_zone));
}

/** Usage of a meter over a period until now. */
export function useSeries(meter: MeterUsage, period: Period, byKey: boolean) {
  const from = useStart(meter, period);
  return useQuery(seriesQuery({ meter: meter.meter, period, step: PERIODS[period].step, from, byKey }));
}
