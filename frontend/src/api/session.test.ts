import { afterEach, describe, expect, it, vi } from 'vitest';
import { oneTabAtATime, Session } from './session';

function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (reason: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

describe('Session', () => {
  it('shares one renewal among all who need it at the same time', async () => {
    const answer = deferred<string | null>();
    const renew = vi.fn(() => answer.promise);
    const session = new Session(renew);
    const asked = [session.renew(), session.renew(), session.renew()];
    answer.resolve('fresh');
    expect(await Promise.all(asked)).toEqual(['fresh', 'fresh', 'fresh']);
    expect(renew).toHaveBeenCalledTimes(1);
    await session.renew();
    expect(renew).toHaveBeenCalledTimes(2);
  });

  it('ends when the renewal is refused', async () => {
    const session = new Session(() => Promise.resolve(null));
    session.signIn('old');
    expect(await session.renew()).toBeNull();
    expect(session.status).toBe('signed-out');
    expect(session.token).toBeNull();
  });

  it('goes on when the renewal gets no answer, and asks anew the next time', async () => {
    const renew = vi.fn<() => Promise<string | null>>().mockRejectedValueOnce(new Error('no network'));
    const session = new Session(renew);
    session.signIn('old');
    await expect(session.renew()).rejects.toThrow('no network');
    expect(session.status).toBe('signed-in');
    renew.mockResolvedValueOnce('fresh');
    expect(await session.renew()).toBe('fresh');
  });

  it('is not signed in again by a renewal that was under way at the sign-out', async () => {
    const answer = deferred<string | null>();
    const session = new Session(() => answer.promise);
    session.signIn('old');
    const renewal = session.renew();
    session.signOut();
    answer.resolve('fresh');
    expect(await renewal).toBeNull();
    expect(session.status).toBe('signed-out');
  });

  it('asks at the start only while nothing is known', async () => {
    const renew = vi.fn(() => Promise.resolve('fresh'));
    const session = new Session(renew);
    expect(await session.restore()).toBe('signed-in');
    expect(await session.restore()).toBe('signed-in');
    expect(renew).toHaveBeenCalledTimes(1);
  });

  it('tells changes, and each sign-in, but not a mere new token', async () => {
    const session = new Session(() => Promise.resolve('fresh'));
    const listener = vi.fn();
    const stop = session.subscribe(listener);
    session.signIn('a');
    await session.renew();
    expect(listener).toHaveBeenCalledTimes(1);
    session.signIn('b');
    session.signOut();
    expect(listener).toHaveBeenCalledTimes(3);
    stop();
    session.signIn('c');
    expect(listener).toHaveBeenCalledTimes(3);
  });
});

/** Locks as a browser has them: one after another, in the order in which they are asked for. */
function browserLocks() {
  let last: Promise<unknown> = Promise.resolve();
  const names: string[] = [];
  return {
    names,
    request(name: string, options: { signal: AbortSignal }, work: () => Promise<unknown>) {
      names.push(name);
      const before = last;
      const aborted = new Promise((_, reject) => {
        options.signal.addEventListener('abort', () => {
          reject(options.signal.reason as Error);
        });
      });
      const mine = Promise.race([before, aborted]).then(work);
      last = mine.catch(() => undefined);
      return mine;
    },
  };
}

describe('Tabs of one browser', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  it('renew one after another, each with the cookie of the one before', async () => {
    const locks = browserLocks();
    vi.stubGlobal('navigator', { locks });
    let cookie = 0;
    let under = 0;
    const renew = async () => {
      const sent = cookie;
      under += 1;
      expect(under).toBe(1);
      await Promise.resolve();
      expect(sent).toBe(cookie);
      cookie += 1;
      under -= 1;
      return `token ${String(cookie)}`;
    };
    const tabs = Array.from({ length: 20 }, () => new Session(renew));
    const tokens = await Promise.all(tabs.map((tab) => tab.renew()));
    expect(new Set(tokens).size).toBe(20);
    expect(new Set(locks.names)).toEqual(new Set(['feature-refresh']));
  });

  it('renew without a lock where the browser has none', async () => {
    vi.stubGlobal('navigator', {});
    expect(await oneTabAtATime(() => Promise.resolve('fresh'))).toBe('fresh');
  });

  it('wait for a tab that hangs for a while only', async () => {
    vi.stubGlobal('navigator', { locks: browserLocks() });
    const patience = new AbortController();
    vi.spyOn(AbortSignal, 'timeout').mockReturnValue(patience.signal);
    void oneTabAtATime(() => new Promise(() => undefined));
    await Promise.resolve();
    const waiting = oneTabAtATime(() => Promise.resolve('fresh'));
    patience.abort(new Error('patience is over'));
    expect(await waiting).toBe('fresh');
  });

  it('do not ask twice when the renewal itself fails', async () => {
    vi.stubGlobal('navigator', { locks: browserLocks() });
    const renew = vi.fn<() => Promise<string | null>>().mockRejectedValue(new Error('no network'));
    await expect(oneTabAtATime(renew)).rejects.toThrow('no network');
    expect(renew).toHaveBeenCalledTimes(1);
  });
});
