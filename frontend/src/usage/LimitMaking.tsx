import type { MeterUsage } from '../api/types';
import { makingText, overrideText } from './limitText';
import type { Reader } from './meterText';
import classes from './UsageBar.module.css';

/** How the limit of a meter comes about, where it is not the plan's own. */
export function LimitMaking({ meter, reader }: { readonly meter: MeterUsage; readonly reader: Reader }) {
  const made = makingText({ plan: meter.plan_limit, overrides: meter.overrides, unit: meter.unit });
  if (made === null) return null;
  return (
    <div className={classes.making}>
      <p className={classes.sum}>{made}</p>
      <ul>
        {meter.overrides.map((override) => (
          <li key={override.id}>
            {overrideText(override, meter.unit, reader)} <q>{override.reason}</q>
          </li>
        ))}
      </ul>
    </div>
  );
}
