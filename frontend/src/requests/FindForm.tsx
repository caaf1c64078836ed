import { Button, TextInput } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { useState, type SyntheticEvent } from 'react';
import { texts } from '../texts';
import classes from './Requests.module.css';

/** Opens the page of a refusal by the id of its request or decision. */
export function FindForm() {
  const navigate = useNavigate();
  const [name, setName] = useState('');
  const [isChecked, setIsChecked] = useState(false);
  const words = texts.requests;

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setIsChecked(true);
    if (name.trim() === '') return;
    void navigate({ to: '/app/requests/$decision', params: { decision: name.trim() } });
  }

  return (
    <form className={classes.find} onSubmit={submit} noValidate>
      <TextInput
        label={words.findLabel}
        description={words.findHint}
        value={name}
        error={isChecked && name.trim() === '' ? words.findMissing : undefined}
        maxLength={200}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <Button type="submit" variant="default">
        {words.open}
      </Button>
    </form>
  );
}
