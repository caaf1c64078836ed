import type { MeterUsage, UsageAnswer } from '../api/types';
import { texts } from '../texts';
import { formatCount, formatDay, formatTime, zoneName } from '../texts/format';
import { meterState } from './meterState';
import { amountText, type Reader } from './meterText';

/** What the reader is told of one meter, on every page. */
export interface UsageNotice {
  /** The same for as long as it is the same notice. */
  readonly id: string;
  readonly meter: string;
  readonly tone: 'near' | 'over';
  readonly title: string;
  readonly detail: string;
}

/** What was told and still holds, the nearest to its limit first. Times are by the account's clock, in its answer. */
export function usageNotices({ meters, usage }: UsageAnswer, zone: string): UsageNotice[] {
  return meters
    .filter(({ notice_percent: percent }) => percent !== null)
    .sort((one, other) => (other.notice_percent ?? 0) - (one.notice_percent ?? 0))
    .map((meter) => ({
      id: [meter.meter, meter.notice_percent, meter.resets_at ?? usage.period_start].join(' '),
      meter: meter.meter,
      ...(meter.blocked_since === null ? near(meter, zone) : reached(meter, meter.blocked_since, zone)),
    }));
}

function near(meter: MeterUsage, zone: string): Pick<UsageNotice, 'tone' | 'title' | 'detail'> {
  const state = meterState(meter);
  const percent = texts.usage.percent(formatCount(state.limited ? state.percent : 0));
  const reader = readerOf(meter, zone);
  const ends = meter.resets_at === null ? texts.notice.levelEnds : texts.notice.ends(dayAndTime(meter.resets_at, reader));
  return { tone: 'near', title: texts.notice.near(meter.name, percent), detail: `${amountText(meter, state)}. ${ends}` };
}

function reached(meter: MeterUsage, since: string, zone: string): Pick<UsageNotice, 'tone' | 'title' | 'detail'> {
  const reader = readerOf(meter, zone);
  const again = meter.resets_at === null ? texts.notice.levelAgain : texts.notice.again(dayAndTime(meter.resets_at, reader));
  return {
    tone: 'over',
    title: texts.notice.refused(meter.name, dayAndTime(since, reader, false)),
    detail: `${amountText(meter, meterState(meter))}. ${again}`,
  };
}

const readerOf = (meter: MeterUsage, zone: string): Reader => ({ zone, now: new Date(meter.as_of) });

const DAY_MS = 86_400_000;

/** "14:03", "tomorrow, 00:00 Berlin", "1 Dec, 00:00 Berlin". */
function dayAndTime(iso: string, { zone, now }: Reader, named = true): string {
  const time = named ? `${formatTime(iso, zone)} ${zoneName(zone)}` : formatTime(iso, zone);
  const day = formatDay(iso, zone, now);
  if (day === formatDay(now.toISOString(), zone, now)) return time;
  const tomorrow = formatDay(new Date(now.getTime() + DAY_MS).toISOString(), zone, now);
  return `${day === tomorrow ? texts.notice.tomorrow : day}, ${time}`;
}
