import { Button } from '@mantine/core';
import { ApiError } from '../api/problem';
import type { SpendDecision } from '../api/types';
import { texts } from '../texts';
import { formatCount } from '../texts/format';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Notice } from '../ui/Notice';
import type { Reader } from '../usage/meterText';
import classes from './Overview.module.css';
import { Refusal } from './Refusal';
import { isRefusal, mayHaveSpent } from './refusalText';
import { useSpendOneJob, type SpendOutcome } from './useSpendOneJob';

/** Spends one job for real, and explains a refusal where it happened. */
export function SpendPanel({ reader }: { readonly reader: Reader }) {
  const { spend, isPending, outcome } = useSpendOneJob();
  return (
    <>
      <p className={classes.lead}>{texts.spend.lead}</p>
      <div>
        <Button size="md" loading={isPending} onClick={spend}>
          {texts.spend.action}
        </Button>
      </div>
      {/* The key makes a second refusal in the same words an announcement of its own. */}
      {outcome && <Outcome key={outcome.id} outcome={outcome} reader={reader} onRetry={spend} />}
    </>
  );
}

interface OutcomeProps {
  readonly outcome: SpendOutcome;
  readonly reader: Reader;
  readonly onRetry: () => void;
}

function Outcome({ outcome, reader, onRetry }: OutcomeProps) {
  if ('decision' in outcome) {
    return (
      <Notice tone="good" title={texts.spend.spent}>
        <p>{afterwards(outcome.decision)}</p>
      </Notice>
    );
  }
  const { error } = outcome;
  if (error instanceof ApiError && error.problem && isRefusal(error.problem)) {
    return <Refusal problem={error.problem} reader={reader} />;
  }
  if (!mayHaveSpent(error)) return <ErrorNotice error={error} onRetry={onRetry} />;
  return <ErrorNotice error={error} title={texts.spend.unknown} still={texts.spend.unknownDetail} onRetry={onRetry} />;
}

function afterwards({ used, limit, remaining }: SpendDecision): string {
  if (limit === null || remaining === null) return texts.spend.usedUnlimited(formatCount(used));
  return texts.spend.left(formatCount(used), formatCount(limit), formatCount(remaining));
}
