import { describe, expect, it } from 'vitest';
import { EventReader } from './sse';

const TEXT = 'retry: 2000\n\nevent: usage\nid: a.1\ndata: {"amount":1}\n\n: still here\n\nevent: gap\ndata: {}\n\n';

describe('server-sent events', () => {
  it('are read whole, with their ids', () => {
    expect(new EventReader().push(TEXT)).toEqual([
      { kind: 'usage', id: 'a.1', data: '{"amount":1}' },
      { kind: 'gap', id: null, data: '{}' },
    ]);
  });

  it.each([1, 2, 3, 7, 20])('are the same when they come in parts of %i', (length) => {
    for (const text of [TEXT, TEXT.replaceAll('\n', '\r\n')]) {
      const reader = new EventReader();
      const found = [];
      for (let at = 0; at < text.length; at += length) found.push(...reader.push(text.slice(at, at + length)));
      expect(found).toEqual(new EventReader().push(TEXT));
    }
  });

  it('have lines of data joined, and a kind where none is named', () => {
    expect(new EventReader().push('data: one\ndata:two\n\n')).toEqual([{ kind: 'message', id: null, data: 'one\ntwo' }]);
  });

  it('are none where nothing is said, nor before they are whole', () => {
    const reader = new EventReader();
    expect(reader.push('event: usage\nid: a\n\n')).toEqual([]);
    expect(reader.push('data: x\n')).toEqual([]);
    expect(reader.push('\n')).toEqual([{ kind: 'message', id: null, data: 'x' }]);
    expect(reader.push('nonsense\ndata\n\n')).toEqual([{ kind: 'message', id: null, data: '' }]);
  });
});
