import { useQuery } from '@tanstack/react-query';
import { meQuery } from '../api/queries';
import { knownZone } from '../texts/format';
import type { Reader } from '../usage/meterText';

/** Times are told in the zone that the user has chosen, else in the account's, and in UTC while neither is known. */
export function useReader(): Reader {
  const me = useQuery(meQuery);
  return { zone: knownZone(me.data?.display_zone ?? me.data?.account.time_zone), now: new Date() };
}
