import { formatAmount } from './amount';
import { barsOf, heightOf, namedSteps, scaleOf } from './chartScale';
import classes from './SeriesChart.module.css';
import type { SeriesRow } from './seriesRows';

interface SeriesChartProps {
  readonly rows: readonly SeriesRow[];
  readonly unit: string;
}

const GAP = 0.15;

/** Usage over time as bars; of a gauge its levels. The table beside it says the same to whoever does not see it. */
export function SeriesChart({ rows, unit }: SeriesChartProps) {
  const values = rows.map((row) => row.level ?? row.amount);
  const scale = scaleOf(values, unit);
  const bars = barsOf(values, scale);
  return (
    <div className={classes.chart} aria-hidden="true">
      <div className={classes.values}>
        {scale.ticks.map((tick) => (
          <span key={tick} style={{ top: percent(heightOf(tick, scale)) }}>
            {formatAmount(tick, unit)}
          </span>
        ))}
      </div>
      <svg className={classes.plot} viewBox={`0 0 ${rows.length} 1`} preserveAspectRatio="none" focusable="false">
        {scale.ticks.map((tick) => (
          <line
            key={tick}
            className={tick === 0 ? classes.zero : classes.line}
            x1={0}
            x2={rows.length}
            y1={heightOf(tick, scale)}
            y2={heightOf(tick, scale)}
          />
        ))}
        {rows.map(({ start, name, open }, index) => (
          <rect
            key={start}
            className={open ? classes.open : classes.bar}
            x={index + GAP}
            width={1 - 2 * GAP}
            y={bars[index]?.top}
            height={bars[index]?.height}
          >
            <title>{`${name}: ${formatAmount(values[index] ?? 0, unit)}`}</title>
          </rect>
        ))}
      </svg>
      <div className={classes.steps}>
        {namedSteps(rows.length).map((index) => {
          const at = percent((index + 0.5) / rows.length);
          return (
            <span key={index} style={{ insetInlineStart: at, transform: `translateX(-${at})` }}>
              {rows[index]?.short}
            </span>
          );
        })}
      </div>
    </div>
  );
}

function percent(share: number): string {
  return `${share * 100}%`;
}
