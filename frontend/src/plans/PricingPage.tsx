import { useQuery } from '@tanstack/react-query';
import { plansQuery, publicPlansQuery } from '../api/queries';
import { useSignedIn } from '../app/useSignedIn';
import { texts } from '../texts';
import { PageHeading } from '../ui/PageHeading';
import { Plans } from './Plans';

/** The plans, to anybody. Times are told in the browser's zone: there is no account whose zone would count. */
export function PricingPage() {
  // Offers belong to an account: they are kept with its data, so that the next reader never sees them.
  const plans = useQuery(useSignedIn() ? plansQuery : publicPlansQuery);
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <>
      <PageHeading>{texts.plans.pricing}</PageHeading>
      <Plans query={plans} reader={{ zone, now: new Date() }} />
    </>
  );
}
