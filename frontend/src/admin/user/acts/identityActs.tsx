import { TextInput } from '@mantine/core';
import { useState } from 'react';
import { api } from '../../../api/client';
import { answerOf } from '../../../api/problem';
import { texts } from '../../../texts';
import { hintWithRoom } from '../../../ui/roomText';
import { Act } from './Act';
import { pathOf, type ActProps } from './actProps';

const MOST_NAME = 100;

export function Rename({ user }: ActProps) {
  const [name, setName] = useState(user.name ?? '');
  const words = texts.adminUser.rename;
  async function act() {
    const wanted = name.trim() === '' ? null : name.trim();
    await answerOf(api.PATCH('/v1/admin/users/{user_id}', { ...pathOf(user), body: { name: wanted } }));
    return wanted === null ? words.taken : words.done(wanted);
  }
  return (
    <Act
      {...words}
      act={act}
     
      fields={
        <TextInput
          label={words.label}
          autoComplete="off"
          description={hintWithRoom(undefined, name, MOST_NAME)}
          maxLength={MOST_NAME}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
      }
    />
  );
}

export function ChangeAddress({ user }: ActProps) {
  const [email, setEmail] = useState(user.email);
  const [isChecked, setIsChecked] = useState(false);
  const words = texts.adminUser.address;
  const isMissing = !email.includes('@');
  async function act() {
    await answerOf(api.PATCH('/v1/admin/users/{user_id}', { ...pathOf(user), body: { email: email.trim() } }));
    return words.done(email.trim());
  }
  return (
    <Act
      {...words}
      act={act}
     
      isReady={() => {
        setIsChecked(true);
        return !isMissing;
      }}
      fields={
        <TextInput
          label={words.label}
          type="email"
          autoComplete="off"
          maxLength={320}
          value={email}
          error={isChecked && isMissing ? texts.fields.emailMissing : undefined}
          onChange={(event) => setEmail(event.currentTarget.value)}
        />
      }
    />
  );
}

export function ResendLink({ user }: ActProps) {
  const words = texts.adminUser.resend;
  async function act() {
    await answerOf(api.POST('/v1/admin/users/{user_id}/resend-verification', pathOf(user)));
    return words.done(user.email);
  }
  return <Act {...words} act={act} />;
}
