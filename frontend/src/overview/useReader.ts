import { useQuery } from '@tanstack/react-query';
import { meQuery } from '../api/queries';
import { knownZone } from '../texts/format';
import type { Reader } from '../usage/meterText';

/** The reader of the overview: times are told in the account's zone, in UTC while that is not known. */
export function useReader(): Reader {
  const me = useQuery(meQuery);
  return { zone: knownZone(me.data?.account.time_zone), now: new Date() };
}
