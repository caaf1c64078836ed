import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { session } from '../api/client';
import { ending } from '../api/ending';
import { texts } from '../texts';
import { Notice } from '../ui/Notice';
import { PageHeading } from '../ui/PageHeading';
import { ResetForm } from './ResetForm';

type Stage = 'form' | 'done' | 'refused';

/** A new password by the link of a mail. Whoever is signed in here is not any more afterwards. */
export function ResetPage({ token }: { readonly token: string }) {
  const [stage, setStage] = useState<Stage>('form');

  function finish() {
    setStage('done');
    ending.note('left');
    session.signOut();
  }

  if (stage === 'done') {
    return (
      <>
        <PageHeading>{texts.reset.doneHeading}</PageHeading>
        <Notice tone="good" title={texts.reset.done} />
        <Button component={Link} to="/login" size="md">
          {texts.reset.signIn}
        </Button>
      </>
    );
  }
  if (stage === 'refused') {
    return (
      <>
        <PageHeading>{texts.reset.linkFailed}</PageHeading>
        <p role="alert">{texts.reset.linkNext}</p>
        <Button component={Link} to="/forgot" size="md">
          {texts.reset.newLink}
        </Button>
      </>
    );
  }
  return (
    <>
      <PageHeading>{texts.reset.heading}</PageHeading>
      <ResetForm token={token} onDone={finish} onLinkInvalid={() => setStage('refused')} />
    </>
  );
}
