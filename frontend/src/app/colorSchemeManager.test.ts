import { beforeEach, describe, expect, it } from 'vitest';
import firstPaint from '../../public/color-scheme.js?raw';
import { COOKIE, cookieColorSchemeManager } from './colorSchemeManager';

describe('cookieColorSchemeManager', () => {
  const manager = cookieColorSchemeManager();
  beforeEach(() => manager.clear());

  it('keeps the choice in a cookie and nowhere else', () => {
    expect(manager.get('auto')).toBe('auto');
    manager.set('dark');
    expect(manager.get('auto')).toBe('dark');
    expect(document.cookie).toContain(`${COOKIE}=dark`);
    expect(window.localStorage.length).toBe(0);
  });

  it('ignores a value it does not know', () => {
    document.cookie = `${COOKIE}=purple; Path=/`;
    expect(manager.get('auto')).toBe('auto');
  });

  it('takes over the choice of another tab when this one becomes visible', () => {
    const updates: string[] = [];
    manager.subscribe((scheme) => updates.push(scheme));
    manager.set('light');
    document.dispatchEvent(new Event('visibilitychange'));
    manager.unsubscribe();
    document.dispatchEvent(new Event('visibilitychange'));
    expect(updates).toEqual(['light']);
  });

  it('is understood by the script that runs before the first paint', () => {
    expect(firstPaint).toContain(`(?:^|; )${COOKIE}=(light|dark)(?:;|$)`);
  });
});
