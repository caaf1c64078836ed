import { Button } from '@mantine/core';
import { texts } from '../texts';
import { errorText } from './errorText';
import { Notice } from './Notice';
import { RequestId } from './RequestId';

interface ErrorNoticeProps {
  readonly error: unknown;
  /** What did not work, in the words of the place; the error's own title otherwise. */
  readonly title?: string;
  /** What stays true in spite of the error ("Limits still apply."). */
  readonly still?: string;
  readonly tone?: 'over' | 'near';
  readonly onRetry?: () => void;
}

/** An error with its next step and the request id to copy. */
export function ErrorNotice({ error, title, still, tone = 'over', onRetry }: ErrorNoticeProps) {
  const text = errorText(error);
  // Under a title of the place, the error's own title begins its first sentence.
  const [first = '', ...others] = text.lines;
  const lines = title === undefined || title === text.title ? text.lines : [`${text.title}. ${first}`, ...others];
  return (
    <Notice
      tone={tone}
      title={title ?? text.title}
      foot={
        (onRetry ?? text.requestId) !== null && (
          <>
            {onRetry && (
              <Button variant="default" size="compact-md" onClick={onRetry}>
                {texts.actions.retry}
              </Button>
            )}
            {text.requestId !== null && <RequestId id={text.requestId} />}
          </>
        )
      }
    >
      {still !== undefined && <p>{still}</p>}
      {lines.map((line) => (
        <p key={line}>{line}</p>
      ))}
    </Notice>
  );
}
