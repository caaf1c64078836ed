import { Anchor } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { PageHeading } from '../ui/PageHeading';
import { challenge } from './challenge';
import classes from './Form.module.css';
import { MfaForm } from './MfaForm';

/** The second factor of a sign-in. A challenge that is over leaves nothing to enter: the sign-in begins anew. */
export function MfaPage({ challengeId }: { readonly challengeId: string }) {
  const [over, setOver] = useState<Error | null>(null);

  function end(error: Error) {
    challenge.drop();
    setOver(error);
  }

  return (
    <>
      <PageHeading>{over === null ? texts.mfa.heading : texts.mfa.over}</PageHeading>
      {over === null ? <MfaForm challengeId={challengeId} onOver={end} /> : <ErrorNotice error={over} />}
      <div className={classes.links}>
        <Anchor component={Link} to="/login" underline="always">
          {texts.mfa.again}
        </Anchor>
      </div>
    </>
  );
}
