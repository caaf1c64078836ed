import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { ApiError } from '../api/problem';
import { meQuery } from '../api/queries';
import type { SpendDecision } from '../api/types';
import { maySpend } from '../app/who';
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
  const me = useQuery(meQuery).data;
  const refused = me !== undefined && !maySpend(me) ? me.account : null;
  return (
    <>
      <p className={classes.lead}>{texts.spend.lead}</p>
      <div>
        <Button size="md" loading={isPending} disabled={refused !== null} aria-describedby={refused === null ? undefined : 'may-not'} onClick={spend}>
          {texts.spend.action}
        </Button>
      </div>
      {refused !== null && (
        <p id="may-not" className={classes.lead}>
          {texts.spend.mayNot(texts.account.role[refused.role ?? 'viewer'], refused.name)}
        </p>
      )}
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
  if (error instanceof ApiError && error.problem?.code === 'account_unknown') {
    // Trying again would spend for another account.
    return (
      <Notice tone="over" title={texts.spend.accountGone}>
        <p>{texts.spend.accountGoneDetail}</p>
      </Notice>
    );
  }
  if (!mayHaveSpent(error)) return <ErrorNotice error={error} onRetry={onRetry} />;
  return <ErrorNotice error={error} title={texts.spend.unknown} still={texts.spend.unknownDetail} onRetry={onRetry} />;
}

function afterwards({ used, limit, remaining }: SpendDecision): string {
  if (limit === null || remaining === null) return texts.spend.usedUnlimited(formatCount(used));
  return texts.spend.left(formatCount(used), formatCount(limit), formatCount(remaining));
}
