import { Anchor } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { healthQuery } from '../api/queries';
import { texts } from '../texts';

/** In development no mail leaves the machine: the way to the mailbox page of the API. Elsewhere nothing. */
export function DevMailLink({ email }: { readonly email: string }) {
  const health = useQuery(healthQuery);
  if (health.data?.environment !== 'development') return null;
  return (
    <Anchor href={`/dev/mail?to=${encodeURIComponent(email)}`} underline="always">
      {texts.checkMail.mailbox}
    </Anchor>
  );
}
