import { useQuery } from '@tanstack/react-query';
import { plansQuery } from '../api/queries';
import { useReader } from '../overview/useReader';
import { texts } from '../texts';
import { PageHeading } from '../ui/PageHeading';
import { Plans } from './Plans';

/** The plans, to somebody who is on one of them. */
export function PlansPage() {
  return (
    <>
      <PageHeading>{texts.plans.heading}</PageHeading>
      <Plans query={useQuery(plansQuery)} reader={useReader()} />
    </>
  );
}
