import { ApiError, Unreachable } from '../api/problem';
import { texts } from '../texts';
import { formatDuration } from '../texts/format';

export interface ErrorText {
  readonly title: string;
  readonly lines: readonly string[];
  readonly requestId: string | null;
}

/** Any error in words: what happened, what to do next, and the request id where the server gave one. */
export function errorText(error: unknown): ErrorText {
  if (error instanceof ApiError && error.problem) {
    const { title, detail, retryAfter, fixes, requestId } = error.problem;
    const acting = texts.actingAs.refused[error.problem.code];
    if (acting !== undefined) return { title: acting.title, lines: [acting.detail, acting.step], requestId };
    const lines = [detail, ...fixes.map((fix) => fix.text)].filter((line) => line !== '');
    if (retryAfter !== null) lines.push(texts.errors.tryAgainIn(formatDuration(retryAfter)));
    return { title, lines, requestId };
  }
  if (error instanceof ApiError) {
    const title = texts.errors.unexpected(error.status);
    return { title, lines: [texts.errors.unexpectedDetail], requestId: error.requestId };
  }
  if (error instanceof Unreachable) {
    if (!navigator.onLine) return { title: texts.offline.heading, lines: [texts.offline.nothing], requestId: null };
    return { title: texts.errors.unreachable, lines: [texts.errors.unreachableDetail], requestId: null };
  }
  return { title: texts.errors.panel, lines: [texts.errors.panelDetail], requestId: null };
}
