import { useState, useSyncExternalStore } from 'react';
import { acting } from '../api/acting';
import { useReader } from '../overview/useReader';
import { texts } from '../texts';
import { Notice } from '../ui/Notice';
import { PageHeading } from '../ui/PageHeading';
import { Panel } from '../ui/Panel';
import classes from './Live.module.css';
import { LiveRows } from './LiveRows';
import { useUnits } from '../usage/units';
import { hasGap, withEvents, type LiveRow } from './rows';
import { StreamState } from './StreamState';
import { useLiveStream } from './useLiveStream';

/** What happens in the account, as it happens. */
export function LivePage() {
  // Another account begins with nothing of the last one.
  const account = useSyncExternalStore(acting.subscribe, () => acting.account);
  return (
    <>
      <PageHeading>{texts.live.heading}</PageHeading>
      <Panel heading={texts.live.panel}>
        <LivePanel key={account} />
      </Panel>
    </>
  );
}

function LivePanel() {
  const words = texts.live;
  const reader = useReader();
  const [paused, setPaused] = useState(false);
  const [shown, setShown] = useState<{ rows: readonly LiveRow[]; gap: boolean }>({ rows: [], gap: false });
  const stream = useLiveStream((events) => {
    setShown(({ rows, gap }) => ({ rows: withEvents(rows, events), gap: gap || hasGap(events) }));
  }, paused);
  const unitOf = useUnits();
  return (
    <>
      <p className={classes.quiet}>{words.lead}</p>
      <StreamState
        stream={stream}
        paused={paused}
        onPause={setPaused}
        hasRows={shown.rows.length > 0}
        refusedDetail={words.refusedDetail}
      />
      {shown.gap && (
        <Notice tone="near" title={words.gap}>
          <p>{words.gapDetail}</p>
        </Notice>
      )}
      <LiveRows
        rows={shown.rows}
        unitOf={unitOf}
        reader={reader}
        isEmpty={stream.connection === 'live' || stream.connection === 'paused'}
      />
    </>
  );
}
