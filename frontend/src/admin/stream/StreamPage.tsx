import { useState } from 'react';
import live from '../../live/Live.module.css';
import { StreamState } from '../../live/StreamState';
import { useReader } from '../../overview/useReader';
import { texts } from '../../texts';
import { formatCount } from '../../texts/format';
import { Notice } from '../../ui/Notice';
import { PageHeading } from '../../ui/PageHeading';
import { MOST_ROWS, NOTHING_SEEN, withHappenings } from './happenings';
import { HappeningTable } from './HappeningTable';
import { StreamFilters } from './StreamFilters';
import type { StreamSearch } from './streamSearch';
import { useHappenings } from './useHappenings';

/** What happens on the whole platform, as it happens. */
export function StreamPage({ search }: { readonly search: StreamSearch }) {
  const words = texts.stream;
  const key = JSON.stringify(search);
  return (
    <>
      <PageHeading>{words.heading}</PageHeading>
      <p className={live.quiet}>{words.lead}</p>
      <StreamFilters key={`filters ${key}`} search={search} />
      {/* What is looked for anew begins with nothing of before. */}
      <Happenings key={key} search={search} />
    </>
  );
}

function Happenings({ search }: { readonly search: StreamSearch }) {
  const words = texts.stream;
  const reader = useReader();
  const [paused, setPaused] = useState(false);
  const [seen, setSeen] = useState(NOTHING_SEEN);
  const stream = useHappenings(search, (events) => setSeen((before) => withHappenings(before, events)), paused);
  const isKnown = stream.connection === 'live' || stream.connection === 'paused';
  const count = formatCount(seen.leftOut);
  return (
    <>
      <StreamState
        stream={stream}
        paused={paused}
        onPause={setPaused}
        hasRows={seen.rows.length > 0}
        refusedDetail={words.refusedDetail}
      />
      {(seen.leftOut > 0 || !seen.isExact) && (
        <Notice tone="near" title={words.leftOut}>
          <p>{seen.isExact ? words.leftOutDetail(count) : words.leftOutAtLeast(count)}</p>
        </Notice>
      )}
      {seen.gap && (
        <Notice tone="near" title={texts.live.gap}>
          <p>{words.gapDetail}</p>
        </Notice>
      )}
      {seen.rows.length > 0 && <HappeningTable rows={seen.rows} reader={reader} />}
      {seen.rows.length === 0 && isKnown && <p>{words.empty}</p>}
      {seen.rows.length === MOST_ROWS && <p className={live.quiet}>{words.more(formatCount(MOST_ROWS))}</p>}
    </>
  );
}
