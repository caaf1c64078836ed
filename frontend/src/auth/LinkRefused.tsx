import { ApiError } from '../api/problem';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Notice } from '../ui/Notice';

interface LinkRefusedProps {
  readonly error: Error;
  /** What the link did not do, and what helps, in the words of the place. */
  readonly title: string;
  readonly next: string;
  readonly onRetry?: () => void;
}

/** A link that does not work: said once, in the words of the page. Any other failure explains itself. */
export function LinkRefused({ error, title, next, onRetry }: LinkRefusedProps) {
  if (error instanceof ApiError && error.problem?.code === 'link_invalid') {
    return (
      <Notice tone="over" title={title}>
        <p>{next}</p>
      </Notice>
    );
  }
  return <ErrorNotice error={error} title={title} onRetry={onRetry} />;
}
