import { Anchor } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { healthQuery, meQuery, plansQuery } from '../api/queries';
import { useReader } from '../overview/useReader';
import { texts } from '../texts';
import { PageHeading } from '../ui/PageHeading';
import { Plans } from './Plans';
import classes from './Plans.module.css';

/** The plans, to somebody who is on one of them. */
export function PlansPage() {
  return (
    <>
      <PageHeading>{texts.plans.heading}</PageHeading>
      <Plans query={useQuery(plansQuery)} reader={useReader()} />
      <Contact />
    </>
  );
}

/** How to reach whoever can move the account; on a development machine that is the reader. */
function Contact() {
  const health = useQuery(healthQuery).data;
  const email = useQuery(meQuery).data?.email ?? null;
  const words = texts.plans;
  if (health?.contact) {
    return (
      <p className={classes.contact}>
        {words.contact}{' '}
        <Anchor href={health.contact} underline="always">
          {health.contact.replace(/^mailto:/, '')}
        </Anchor>
      </p>
    );
  }
  if (health?.environment !== 'development' || email === null) return null;
  return (
    <p className={classes.contact}>
      {words.development} <code>{`.venv/bin/feature user set-plan ${email} pro`}</code>
    </p>
  );
}
