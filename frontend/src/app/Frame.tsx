import { Button } from '@mantine/core';
import { Link, Outlet } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { texts } from '../texts';
import { Notice } from '../ui/Notice';
import { Placeholder } from '../ui/Placeholder';
import { useOnline } from '../ui/useOnline';
import { AccountMenu } from './AccountMenu';
import { ActingAs } from './ActingAs';
import { AccountLost, ActingFor } from './ActingFor';
import { ColorSchemeSwitch } from './ColorSchemeSwitch';
import classes from './Frame.module.css';
import { RoomNav } from './RoomNav';
import { UsageBanner } from './UsageBanner';
import { useSignedIn } from './useSignedIn';
import { useStoredLanguage } from './useStoredLanguage';
import { useStoredTheme } from './useStoredTheme';

interface FrameProps {
  readonly children?: ReactNode;
  readonly tools?: ReactNode;
  /** The name of the part of the product, where it is not the customers' own. */
  readonly part?: string;
  /** The way between the rooms, below the head. */
  readonly rooms?: ReactNode;
  /** One column for a form or a message. */
  readonly narrow?: boolean;
  /** Wider, in smaller letters: for tables. */
  readonly dense?: boolean;
  /** While it is not known yet which page follows. */
  readonly busy?: boolean;
}

/** What surrounds every page: the name, the tools of its head, and the page itself. */
export function Frame({ children, tools, part, rooms, narrow = false, dense = false, busy = false }: FrameProps) {
  const online = useOnline();
  return (
    <div className={`${classes.frame} ${dense ? classes.dense : ''}`}>
      <a className={classes.skip} href="#content">
        {texts.skipToContent}
      </a>
      <header className={classes.header}>
        <div className={classes.bar}>
          <Link to="/" className={classes.brand} aria-label={part === undefined ? texts.product : `${texts.product}, ${part}`}>
            <img src="/icon.svg" alt="" width={28} height={28} />
            <span className={tools === undefined ? undefined : classes.wide}>{texts.product}</span>{' '}
            {part !== undefined && <span className={classes.part}>{part}</span>}
          </Link>
          <div className={classes.tools}>
            <ColorSchemeSwitch />
            {tools}
          </div>
        </div>
      </header>
      {rooms}
      <main id="content" tabIndex={-1} className={`${classes.main} ${narrow ? classes.narrow : ''}`} aria-busy={busy}>
        {!online && (
          <Notice tone="near" title={texts.offline.heading}>
            <p>{texts.offline.detail}</p>
          </Notice>
        )}
        {busy ? <Placeholder width={176} height={28} line={34} /> : children}
      </main>
    </div>
  );
}

export function PublicFrame() {
  return (
    <Frame narrow>
      <Outlet />
    </Frame>
  );
}

/** The prices, to whoever comes by. */
export function PricingFrame({ children }: { readonly children: ReactNode }) {
  const signedIn = useSignedIn();
  return (
    <Frame
      tools={
        <Button component={Link} to={signedIn ? '/app' : '/login'} variant="default">
          {signedIn ? texts.rooms.overview : texts.plans.signIn}
        </Button>
      }
    >
      {children}
    </Frame>
  );
}

export function CustomerFrame() {
  useStoredTheme();
  useStoredLanguage();
  return (
    <Frame
      tools={<AccountMenu />}
      rooms={
        <>
          <ActingAs />
          <ActingFor />
          <RoomNav />
        </>
      }
    >
      <AccountLost />
      <UsageBanner />
      <Outlet />
    </Frame>
  );
}
