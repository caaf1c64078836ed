import { Button } from '@mantine/core';
import { ApiError } from '../api/problem';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import classes from './Live.module.css';
import type { LiveStream } from './useStream';

interface StreamStateProps {
  readonly stream: LiveStream;
  readonly paused: boolean;
  readonly onPause: (paused: boolean) => void;
  /** Whether there is something of before to be seen. */
  readonly hasRows: boolean;
  /** What stays true where it could not be opened. */
  readonly refusedDetail: string;
}

/** As many live views are open as there may be. */
function isTooMany(error: unknown): boolean {
  return error instanceof ApiError && error.problem?.code === 'concurrency_limited';
}

/** Whether a live view is connected, the way to pause it, and why it is not. */
export function StreamState({ stream: { connection, error }, paused, onPause, hasRows, refusedDetail }: StreamStateProps) {
  const words = texts.live;
  return (
    <>
      <div className={classes.tools}>
        {/* Only this is announced: lines come too often to be read out. */}
        <p role="status" className={`${classes.state} ${classes[connection]}`}>
          {words.state[connection]}
        </p>
        {connection !== 'refused' && (
          <Button variant="default" onClick={() => onPause(!paused)}>
            {paused ? words.goOn : words.pause}
          </Button>
        )}
      </div>
      {connection === 'refused' && <ErrorNotice error={error} title={words.refused} still={refusedDetail} />}
      {connection === 'reconnecting' && error !== null && (
        <ErrorNotice
          tone="near"
          error={error}
          title={isTooMany(error) ? words.tooMany : words.lost}
          still={[
            isTooMany(error) ? words.tooManyDetail : words.lostDetail,
            ...(hasRows ? [words.before] : []),
          ].join(' ')}
        />
      )}
    </>
  );
}
