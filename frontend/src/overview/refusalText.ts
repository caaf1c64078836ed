import { ApiError, Unreachable, type Problem } from '../api/problem';
import { texts } from '../texts';
import { formatDuration, formatMoment } from '../texts/format';
import { formatAmount, formatUsed } from '../usage/amount';
import { meterName, type Reader } from '../usage/meterText';
import { knownUnit } from '../usage/units';

export interface RefusalText {
  readonly heading: string;
  readonly sentences: readonly string[];
  /** Number by number: what was used, asked for, and when it goes on. */
  readonly facts: readonly { readonly term: string; readonly value: string }[];
  readonly steps: readonly string[];
}

/** Whether the server refused by a rule of the plan or of a limit, as opposed to a failure. */
export function isRefusal(problem: Problem): boolean {
  return [402, 403, 429].includes(problem.status);
}

/** Whether it is open what became of a request: no answer, one that says nothing, or one that says just that. */
export function mayHaveSpent(error: Error): boolean {
  if (error instanceof Unreachable) return true;
  if (!(error instanceof ApiError) || error.status < 500) return false;
  return error.problem === null || error.problem.code === 'outcome_unknown';
}

/** What was refused, in a few words: by the code of the refusal, and the meter that it is about. */
export function refusalHeading(code: string, meter: string | null, title: string = code): string {
  const heading = texts.refusal.heading[code] ?? texts.refusal.heading.other;
  return heading === undefined ? title : heading(meter === null ? '' : meterName(meter));
}

/** A refusal in words: what happened, the number, the date, the next step. */
export function refusalText(problem: Problem, reader: Reader): RefusalText {
  const acting = texts.actingAs.refused[problem.code];
  if (acting !== undefined) {
    const sentences = [acting.detail, texts.refusal.nothingSpent];
    return { heading: acting.title, sentences, facts: [], steps: [acting.step] };
  }
  return {
    heading: refusalHeading(problem.code, problem.meter, problem.title),
    sentences: [...sentences(problem), texts.refusal.nothingSpent],
    facts: facts(problem, reader),
    steps: steps(problem, reader),
  };
}

/** From the numbers, as this app writes numbers and times. The server's own sentence only where there are none. */
function sentences(problem: Problem): string[] {
  const words = texts.refusal;
  const unit = knownUnit(problem.meter);
  if (problem.code === 'concurrency_limited') return [words.atOnce];
  if (problem.code === 'quota_exceeded' && problem.requested !== null) {
    const held = problem.held === null || problem.held === 0 ? [] : [words.heldToo(formatAmount(problem.held, unit))];
    return [...held, words.noRoom(formatAmount(problem.requested, unit))];
  }
  return problem.detail === '' ? [] : [problem.detail];
}

function facts(problem: Problem, reader: Reader): RefusalText['facts'] {
  const words = texts.refusal;
  const unit = knownUnit(problem.meter);
  const list: { term: string; value: string }[] = [];
  if (problem.used !== null) {
    const value =
      problem.limit === null
        ? formatAmount(problem.used, unit)
        : words.usedOf(formatUsed(problem.used, problem.limit, unit), formatAmount(problem.limit, unit));
    list.push({ term: words.used, value });
  }
  if (problem.resetsAt !== null) {
    list.push({ term: words.resets, value: formatMoment(problem.resetsAt, reader.zone, reader.now) });
  } else if (problem.retryAfter !== null) {
    list.push({ term: words.retry, value: words.retryIn(formatDuration(problem.retryAfter)) });
  }
  return list;
}

/** The steps the server offers; without any, the one that always exists. */
function steps(problem: Problem, reader: Reader): string[] {
  if (problem.fixes.length > 0) {
    // A moment is told as this app tells moments; all else in the server's words.
    return problem.fixes.map((fix) => {
      if (fix.at === null) return fix.text;
      // The moment of the reset stands above already.
      if (problem.resetsAt !== null && Date.parse(fix.at) === Date.parse(problem.resetsAt)) return texts.refusal.waitForReset;
      return texts.refusal.waitUntil(formatMoment(fix.at, reader.zone, reader.now));
    });
  }
  if (problem.code === 'role_missing') return [texts.refusal.askOwner];
  if (problem.resetsAt !== null) return [texts.refusal.waitForReset];
  if (problem.retryAfter !== null) return [texts.refusal.waitFor(formatDuration(problem.retryAfter))];
  return [texts.refusal.askOperator];
}
