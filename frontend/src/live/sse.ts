/** One server-sent event. `id` is null where it has none of its own. */
export interface ServerSent {
  readonly kind: string;
  readonly id: string | null;
  readonly data: string;
}

/**
 * Reads a stream of server-sent events (WHATWG HTML, section 9.2.6) as its parts come, wherever they are cut.
 * What this app has no use for (`retry`, comments) is left out; an event is given out once it is whole.
 */
export class EventReader {
  #rest = '';
  #kind = '';
  #id: string | null = null;
  #data: string[] = [];

  /** The events that are whole with this part. */
  push(part: string): ServerSent[] {
    const lines = (this.#rest + part).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): ServerSent[] {
    if (line === '') return this.#whole();
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') this.#kind = value;
    else if (name === 'id') this.#id = value;
    else if (name === 'data') this.#data.push(value);
    return [];
  }

  #whole(): ServerSent[] {
    const event = { kind: this.#kind || 'message', id: this.#id, data: this.#data.join('\n') };
    const isEvent = this.#data.length > 0;
    this.#kind = '';
    this.#id = null;
    this.#data = [];
    return isEvent ? [event] : [];
  }
}
