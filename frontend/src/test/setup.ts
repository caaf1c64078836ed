import { cleanup, configure } from '@testing-library/react';
import { afterEach } from 'vitest';

configure({ asyncUtilTimeout: 10_000 });

// Files share one document, so that the app is loaded once for all of them and not once for each.
afterEach(() => {
  cleanup();
  if (typeof document === 'undefined') return;
  window.sessionStorage.clear();
  window.localStorage.clear();
  for (const cookie of document.cookie.split('; ')) document.cookie = `${cookie.split('=')[0]}=; Path=/; Max-Age=0`;
});

function matchMedia(query: string): MediaQueryList {
  const nothing = (): void => undefined;
  const list = { matches: false, media: query, addEventListener: nothing, removeEventListener: nothing };
  return list as unknown as MediaQueryList;
}

class ResizeObserver {
  observe(): void {
    return;
  }
  unobserve(): void {
    return;
  }
  disconnect(): void {
    return;
  }
}

// jsdom draws nothing, so it has no media queries and watches no sizes; Mantine and our own script ask for them.
// Tests of the build run without a document. Scripts in the page see its own window, tests see the global one.
if (typeof document !== 'undefined') {
  for (const target of [window, document.defaultView]) Object.assign(target ?? {}, { matchMedia, ResizeObserver });
  // A minute after a file was offered it is taken back, in whichever test that is then.
  Object.assign(URL, { revokeObjectURL: () => undefined });
}
