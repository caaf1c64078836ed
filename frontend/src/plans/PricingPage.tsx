import { useQuery } from '@tanstack/react-query';
import { publicPlansQuery } from '../api/queries';
import { texts } from '../texts/en';
import { PageHeading } from '../ui/PageHeading';
import { Plans } from './Plans';

/** The plans, to anybody. Times are told in the browser's zone: there is no account whose zone would count. */
export function PricingPage() {
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <>
      <PageHeading>{texts.plans.pricing}</PageHeading>
      <Plans query={useQuery(publicPlansQuery)} reader={{ zone, now: new Date() }} />
    </>
  );
}
