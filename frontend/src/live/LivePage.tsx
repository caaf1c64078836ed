import { Button } from '@mantine/core';
import { useState, useSyncExternalStore } from 'react';
import { acting } from '../api/acting';
import { ApiError } from '../api/problem';
import { useReader } from '../overview/useReader';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Notice } from '../ui/Notice';
import { PageHeading } from '../ui/PageHeading';
import { Panel } from '../ui/Panel';
import classes from './Live.module.css';
import { LiveRows } from './LiveRows';
import { useUnits } from '../usage/units';
import { hasGap, withEvents, type LiveRow } from './rows';
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

/** As many live views are open as an account may have. */
function isTooMany(error: unknown): boolean {
  return error instanceof ApiError && error.problem?.code === 'concurrency_limited';
}

function LivePanel() {
  const words = texts.live;
  const reader = useReader();
  const [paused, setPaused] = useState(false);
  const [shown, setShown] = useState<{ rows: readonly LiveRow[]; gap: boolean }>({ rows: [], gap: false });
  const { connection, error } = useLiveStream((events) => {
    setShown(({ rows, gap }) => ({ rows: withEvents(rows, events), gap: gap || hasGap(events) }));
  }, paused);
  const unitOf = useUnits();
  return (
    <>
      <p className={classes.quiet}>{words.lead}</p>
      <div className={classes.tools}>
        {/* Only this is announced: lines come too often to be read out. */}
        <p role="status" className={`${classes.state} ${classes[connection]}`}>
          {words.state[connection]}
        </p>
        {connection !== 'refused' && (
          <Button variant="default" onClick={() => setPaused(!paused)}>
            {paused ? words.goOn : words.pause}
          </Button>
        )}
      </div>
      {connection === 'refused' && <ErrorNotice error={error} title={words.refused} still={words.refusedDetail} />}
      {connection === 'reconnecting' && error !== null && (
        <ErrorNotice
          tone="near"
          error={error}
          title={isTooMany(error) ? words.tooMany : words.lost}
          still={[
            isTooMany(error) ? words.tooManyDetail : words.lostDetail,
            ...(shown.rows.length > 0 ? [words.before] : []),
          ].join(' ')}
        />
      )}
      {shown.gap && (
        <Notice tone="near" title={words.gap}>
          <p>{words.gapDetail}</p>
        </Notice>
      )}
      <LiveRows
        rows={shown.rows}
        unitOf={unitOf}
        reader={reader}
        isEmpty={connection === 'live' || connection === 'paused'}
      />
    </>
  );
}
