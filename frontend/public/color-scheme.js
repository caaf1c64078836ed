// Runs before the first paint, so that a dark page does not flash white. The cookie is written by
// src/app/colorSchemeManager.ts; without a choice in it the page follows the system.
(function () {
  const chosen = /(?:^|; )feature-color-scheme=(light|dark)(?:;|$)/.exec(document.cookie);
  const system = window.matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  document.documentElement.setAttribute('data-mantine-color-scheme', chosen ? chosen[1] : system);
})();
