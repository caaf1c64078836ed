import { Anchor } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { texts } from '../texts/en';
import { PageHeading } from '../ui/PageHeading';
import { DevMailLink } from './DevMailLink';
import classes from './Form.module.css';

/** After a sign-up or a request for a new link: the same words whether the address is known or not. */
export function CheckMail({ email }: { readonly email: string }) {
  return (
    <>
      <PageHeading>{texts.checkMail.heading}</PageHeading>
      <p>{texts.checkMail.detail(email)}</p>
      <p>{texts.checkMail.neutral}</p>
      <div className={classes.links}>
        <DevMailLink email={email} />
        <Anchor component={Link} to="/verify-email" underline="always">
          {texts.checkMail.again}
        </Anchor>
      </div>
    </>
  );
}
