import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import type { Me } from '../api/types';
import { meQuery } from '../api/queries';
import { hasOwnSettings } from '../app/who';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Notice } from '../ui/Notice';
import { Placeholder } from '../ui/Placeholder';

interface OfUserProps {
  readonly children: (me: Me) => ReactNode;
}

/** What is shown to a user of ours once it is known that there is one; others have their sign-in elsewhere. */
export function OfUser({ children }: OfUserProps) {
  const me = useQuery(meQuery);
  if (me.isPending) return <Placeholder width="100%" height={160} line={192} />;
  if (me.data === undefined) {
    return <ErrorNotice error={me.error} title={texts.settings.failed} onRetry={() => void me.refetch()} />;
  }
  if (!hasOwnSettings(me.data)) {
    return (
      <Notice tone="near" title={texts.settings.elsewhere}>
        <p>{texts.settings.elsewhereDetail}</p>
      </Notice>
    );
  }
  return children(me.data);
}
