import { describe, expect, it, vi } from 'vitest';
import { Session } from './session';

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
