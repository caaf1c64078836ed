import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useLocation } from '@tanstack/react-router';
import { useState } from 'react';
import { meQuery, noticedUsageQuery } from '../api/queries';
import { useReader } from '../overview/useReader';
import { texts } from '../texts';
import { Notice } from '../ui/Notice';
import { usageNotices } from '../usage/noticeText';

/**
 * The quota that is nearest to its limit, of those that the customer was told of. What is closed here stays closed in
 * this tab; the next one takes its place.
 */
export function UsageBanner() {
  const { zone } = useReader();
  const { pathname } = useLocation();
  const account = useQuery(meQuery).data?.account.id ?? '';
  const usage = useQuery(noticedUsageQuery).data;
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  if (usage === undefined) return null;
  const keyOf = (id: string): string => `${account} ${id}`;
  const notice = usageNotices(usage, zone).find(({ id }) => !closed.has(keyOf(id)));
  if (notice === undefined) return null;
  return (
    <Notice
      tone={notice.tone}
      title={notice.title}
      waits
      onClose={() => setClosed(new Set([...closed, keyOf(notice.id)]))}
      foot={
        <>
          <Button component={Link} to="/app/plans" variant="default" size="compact-md">
            {texts.notice.plans}
          </Button>
          {pathname !== '/app/usage' && (
            <Button component={Link} to="/app/usage" variant="default" size="compact-md">
              {texts.notice.usage}
            </Button>
          )}
        </>
      }
    >
      <p>{notice.detail}</p>
    </Notice>
  );
}
