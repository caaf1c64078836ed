import { TextInput } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { texts } from '../../texts';

const PAUSE_MS = 300;

interface SearchBoxProps {
  readonly value: string;
  /** Called when the reader pauses. */
  readonly onSearch: (text: string) => void;
}

/** Whether a key that is pressed there is meant as text. */
function isForText(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable="true"]');
}

/** Looks for users while the reader types. "/" leads here from everywhere in the room. */
export function SearchBox({ value, onSearch }: SearchBoxProps) {
  const box = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(value);
  const [known, setKnown] = useState(value);
  const [sent, setSent] = useState(value);
  // The address was changed by something else, such as the way back: the box follows. What the reader types stays.
  if (value !== known) {
    setKnown(value);
    if (value !== sent) {
      setText(value);
      setSent(value);
    }
  }

  useEffect(() => {
    const wanted = text.trim();
    if (wanted === sent) return undefined;
    const timer = window.setTimeout(() => {
      setSent(wanted);
      onSearch(wanted);
    }, PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [text, sent, onSearch]);

  useEffect(() => {
    function focus(event: KeyboardEvent) {
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || isForText(event.target)) return;
      event.preventDefault();
      box.current?.focus();
    }
    document.addEventListener('keydown', focus);
    return () => document.removeEventListener('keydown', focus);
  }, []);

  return (
    <TextInput
      ref={box}
      type="search"
      label={texts.adminUsers.search}
      description={texts.adminUsers.searchHint}
      autoComplete="off"
      maxLength={320}
      value={text}
      onChange={(event) => setText(event.currentTarget.value)}
    />
  );
}
