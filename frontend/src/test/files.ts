import { vi } from 'vitest';

export interface SavedFile {
  readonly name: string;
  readonly content: Blob;
}

/** What the page hands to the browser to save from now on, until the end of the test; jsdom saves nothing. */
export function savedFiles(): SavedFile[] {
  const saved: SavedFile[] = [];
  const offered = new Map<string, Blob>();
  class Offering extends URL {
    static override createObjectURL(content: Blob): string {
      const address = `blob:${offered.size}`;
      offered.set(address, content);
      return address;
    }
  }
  vi.stubGlobal('URL', Offering);
  vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) {
    const content = offered.get(this.href);
    if (content !== undefined) saved.push({ name: this.download, content });
  });
  return saved;
}
