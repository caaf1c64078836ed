import { isMantineColorScheme, type MantineColorScheme, type MantineColorSchemeManager } from '@mantine/core';

/** Also read by public/color-scheme.js before the first paint. */
export const COOKIE = 'feature-color-scheme';

const ONE_YEAR_S = 365 * 24 * 3600;

function read(fallback: MantineColorScheme): MantineColorScheme {
  const entry = document.cookie.split('; ').find((part) => part.startsWith(`${COOKIE}=`));
  const value = entry?.slice(COOKIE.length + 1);
  return isMantineColorScheme(value) ? value : fallback;
}

function write(value: string, maxAge: number): void {
  const secure = window.location.protocol === 'https:' ? '; Secure' : '';
  document.cookie = `${COOKIE}=${value}; Path=/; Max-Age=${maxAge}; SameSite=Lax${secure}`;
}

/**
 * Keeps the choice of light, dark or system in a cookie: this app stores nothing in localStorage. A tab that
 * becomes visible takes over what was chosen in another.
 */
export function cookieColorSchemeManager(): MantineColorSchemeManager {
  let stop = (): void => undefined;
  return {
    get: (fallback) => read(fallback),
    set: (value) => write(value, ONE_YEAR_S),
    subscribe: (onUpdate) => {
      const follow = (): void => {
        if (document.visibilityState === 'visible') onUpdate(read('auto'));
      };
      document.addEventListener('visibilitychange', follow);
      stop = () => document.removeEventListener('visibilitychange', follow);
    },
    unsubscribe: () => stop(),
    clear: () => write('', 0),
  };
}
