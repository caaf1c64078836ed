const KEPT_MS = 60_000;

/** Hands a file to the browser to save. */
export function saveFile(content: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  // The browser may read it only after this; then nobody needs it any more.
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
}
