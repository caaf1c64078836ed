import type { ReactNode } from 'react';
import { texts } from '../texts';
import { PageHeading } from '../ui/PageHeading';
import { DevMailLink } from './DevMailLink';
import classes from './Form.module.css';

interface CheckMailProps {
  readonly email: string;
  readonly detail: string;
  /** What is true of an address whether it is known or not. */
  readonly neutral: string;
  /** The way to ask for another message. */
  readonly children: ReactNode;
}

/** After a message was asked for: the same words whether the address is known or not. */
export function CheckMail({ email, detail, neutral, children }: CheckMailProps) {
  return (
    <>
      <PageHeading>{texts.checkMail.heading}</PageHeading>
      <p>{detail}</p>
      <p>{neutral}</p>
      <div className={classes.links}>
        <DevMailLink email={email} />
        {children}
      </div>
    </>
  );
}
