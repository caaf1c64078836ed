import { Link } from '@tanstack/react-router';
import type { MeterUsage } from '../api/types';
import { texts } from '../texts';
import { NearIcon, StopIcon } from '../ui/icons';
import { formatAmount } from './amount';
import { LimitMaking } from './LimitMaking';
import { meterState, type Level } from './meterState';
import { amountText, levelText, percentText, projectionText, resetText, spokenText, type Reader } from './meterText';
import classes from './UsageBar.module.css';

interface UsageBarProps {
  readonly meter: MeterUsage;
  readonly reader: Reader;
  /** Whether its name leads to its page. */
  readonly linked?: boolean;
}

/** One meter: how much of it is used, what is held, where it leads and when it resets. */
export function UsageBar({ meter, reader, linked = false }: UsageBarProps) {
  const state = meterState(meter);
  const percent = percentText(meter, state);
  const projection = projectionText(meter, reader);
  const resets = resetText(meter, reader);
  return (
    <li className={`${classes.row} ${classes[state.limited ? state.level : 'ok']}`}>
      <div className={classes.head}>
        <h3 className={classes.name}>
          {linked ? (
            <Link to="/app/usage/$meter" params={{ meter: meter.meter }}>
              {meter.name}
            </Link>
          ) : (
            meter.name
          )}
        </h3>
        {state.limited && <LevelMark level={state.level} word={levelText(state)} />}
        <span className={classes.amount}>{amountText(meter, state)}</span>
      </div>
      {state.limited && (
        <div
          className={classes.track}
          role="meter"
          aria-label={meter.name}
          aria-valuemin={0}
          aria-valuemax={Math.max(state.limit, 1)}
          aria-valuenow={Math.min(meter.used, state.limit)}
          aria-valuetext={spokenText(meter, state, reader)}
        >
          <div className={classes.used} style={{ width: `${state.usedShare * 100}%` }} />
          {state.heldShare > 0 && <div className={classes.held} style={{ width: `${state.heldShare * 100}%` }} />}
        </div>
      )}
      <p className={classes.foot}>
        {percent !== null && <span className={classes.percent}>{percent}</span>}
        {meter.held > 0 && <span>{texts.usage.held(formatAmount(meter.held, meter.unit))}</span>}
        {projection !== null && <span>{projection}</span>}
        {resets !== null && <span>{resets}</span>}
      </p>
      <LimitMaking meter={meter} reader={reader} />
    </li>
  );
}

/** Icon and word for what asks for attention, so that colour is never the only sign. */
function LevelMark({ level, word }: { readonly level: Level; readonly word: string | null }) {
  if (word === null) return null;
  return (
    <span className={classes.level}>
      {level === 'near' ? <NearIcon size={16} /> : <StopIcon size={16} />}
      {word}
    </span>
  );
}
