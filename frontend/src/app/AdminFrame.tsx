import { Anchor } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, Outlet } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { operatorQuery } from '../api/adminQueries';
import { ApiError } from '../api/problem';
import { texts } from '../texts';
import { ErrorNotice } from '../ui/ErrorNotice';
import { Notice } from '../ui/Notice';
import { PageHeading } from '../ui/PageHeading';
import { AccountMenu } from './AccountMenu';
import { ActingAs } from './ActingAs';
import { AdminNav } from './AdminNav';
import { Frame } from './Frame';
import { useStoredLanguage } from './useStoredLanguage';
import { useStoredTheme } from './useStoredTheme';

/** The operators' rooms, to operators: others are told why they see none. */
export function AdminFrame() {
  useStoredTheme();
  useStoredLanguage();
  const operator = useQuery(operatorQuery);
  if (operator.isPending) return <Frame dense busy part={texts.admin.name} tools={<AccountMenu />} />;
  const isRefused = operator.error instanceof ApiError && operator.error.status === 403;
  if (operator.data === undefined || isRefused) {
    return <Refused error={operator.error} onRetry={() => void operator.refetch()} />;
  }
  return (
    <Frame
      dense
      part={texts.admin.name}
      tools={<AccountMenu />}
      rooms={
        <>
          <ActingAs />
          <AdminNav />
        </>
      }
    >
      <Outlet />
    </Frame>
  );
}

interface RefusedProps {
  readonly error: unknown;
  readonly onRetry: () => void;
}

function Refused({ error, onRetry }: RefusedProps) {
  const words = texts.admin.refused;
  const code = error instanceof ApiError ? error.problem?.code : undefined;
  if (code === 'permission_missing') {
    return (
      <Barrier heading={words.noOperator} link={<Anchor component={Link} to="/app">{words.toAccount}</Anchor>}>
        <p>{words.noOperatorDetail}</p>
      </Barrier>
    );
  }
  if (code === 'second_factor_needed') {
    return (
      <Barrier
        heading={words.secondFactor}
        link={<Anchor component={Link} to="/app/settings/security">{words.toSecurity}</Anchor>}
      >
        <p>{words.secondFactorDetail}</p>
      </Barrier>
    );
  }
  return (
    <Frame narrow tools={<AccountMenu />}>
      <PageHeading>{texts.admin.name}</PageHeading>
      <ErrorNotice error={error} title={words.failed} onRetry={onRetry} />
    </Frame>
  );
}

interface BarrierProps {
  readonly heading: string;
  readonly link: ReactNode;
  readonly children: ReactNode;
}

function Barrier({ heading, link, children }: BarrierProps) {
  return (
    <Frame narrow tools={<AccountMenu />}>
      <PageHeading>{texts.admin.name}</PageHeading>
      <Notice tone="near" title={heading} foot={link}>
        {children}
      </Notice>
    </Frame>
  );
}
