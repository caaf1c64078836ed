/** Bounds of a chart's values, which contain 0, and the values at which it has a line. */
export interface Scale {
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
}

/** A bar, in parts of the chart's height from its top, 0 to 1. */
export interface Bar {
  readonly top: number;
  readonly height: number;
}

/** About so many lines besides the one of 0. */
const LINES = 4;

/** What is not 0 is seen, however little it is. */
const LEAST_HEIGHT = 0.006;

const MINUTE = 60;

/** The scale for some amounts of base units. Amounts are whole, and so are its lines; seconds go by minutes. */
export function scaleOf(values: readonly number[], unit: string): Scale {
  const least = Math.min(0, ...values);
  const most = Math.max(0, ...values);
  if (least === most) return { low: 0, high: 1, ticks: [0] };
  const base = unit === 'second' && most - least >= 2 * MINUTE ? MINUTE : 1;
  const step = base * niceStep((most - least) / base / LINES);
  const [first, last] = [Math.floor(least / step), Math.ceil(most / step)];
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
  return { low: first * step, high: last * step, ticks };
}

/** The next of 1, 2, 5, 10, 20, 50, …: numbers that are easy to count by. */
function niceStep(least: number): number {
  const power = Math.max(1, 10 ** Math.floor(Math.log10(least)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least) ?? 10 * power;
}

/** Where a value stands, in parts of the height from the top. */
export function heightOf(value: number, { low, high }: Scale): number {
  return (high - value) / (high - low);
}

/** One bar for each value, from the line of 0 up, or down for what was taken back. */
export function barsOf(values: readonly number[], scale: Scale): Bar[] {
  const zero = heightOf(0, scale);
  return values.map((value) => {
    const height = value === 0 ? 0 : Math.max(LEAST_HEIGHT, Math.abs(heightOf(value, scale) - zero));
    return { top: value > 0 ? zero - height : zero, height };
  });
}

/** Which of `count` steps are named below the chart: at most `most`, evenly, the newest always. */
export function namedSteps(count: number, most = 4): number[] {
  const every = Math.ceil(count / most);
  return Array.from({ length: count }, (_, index) => index).filter((index) => (count - 1 - index) % every === 0);
}
