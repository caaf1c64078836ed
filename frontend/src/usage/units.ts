import { useQuery } from '@tanstack/react-query';
import { noticedUsageQuery } from '../api/queries';

/** The unit of a meter; whatever is not known is counted one by one. */
export type UnitOf = (meter: string | null) => string;

/** What a meter's base unit is, for the platform's own meters. */
const UNITS: Record<string, string> = { storage: 'byte', compute: 'second' };

export const knownUnit: UnitOf = (meter) => UNITS[meter ?? ''] ?? 'one';

/** The units of all meters of the account, as far as they are loaded. */
export function useUnits(): UnitOf {
  const usage = useQuery(noticedUsageQuery).data;
  const units = new Map(usage?.meters.map(({ meter, unit }) => [meter, unit]));
  return (meter) => units.get(meter ?? '') ?? knownUnit(meter);
}
