import { PasswordInput, TextInput } from '@mantine/core';
import type { Ref } from 'react';
import { texts } from '../texts';

interface FieldProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
  /** Shown once the form was sent; null while nothing is wrong. */
  readonly fault: string | null;
}

export function EmailField({ value, onChange, fault }: FieldProps) {
  return (
    <TextInput
      label={texts.fields.email}
      labelProps={{ mb: 4 }}
      type="email"
      name="email"
      autoComplete="email"
      size="md"
      value={value}
      error={fault}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}

interface PasswordFieldProps extends FieldProps {
  readonly label?: string;
  /** Whether the password is being chosen; then the rule is shown and managers offer a new one. */
  readonly fresh?: boolean;
}

export function PasswordField({
  value,
  onChange,
  fault,
  label = texts.fields.password,
  fresh = false,
}: PasswordFieldProps) {
  return (
    <PasswordInput
      label={label}
      labelProps={{ mb: 4 }}
      description={fresh ? texts.fields.passwordRule : undefined}
      name="password"
      autoComplete={fresh ? 'new-password' : 'current-password'}
      size="md"
      value={value}
      error={fault}
      visibilityToggleButtonProps={{ 'aria-label': texts.fields.showPassword }}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}

/** From the authenticator, or one of the recovery codes kept for when it is lost. */
export type CodeKind = 'otp' | 'recovery';

interface CodeFieldProps extends FieldProps {
  readonly kind: CodeKind;
  readonly ref?: Ref<HTMLInputElement>;
}

export function CodeField({ kind, ref, value, onChange, fault }: CodeFieldProps) {
  const otp = kind === 'otp';
  return (
    <TextInput
      ref={ref}
      label={texts.mfa[kind].label}
      labelProps={{ mb: 4 }}
      description={texts.mfa[kind].hint}
      name={kind}
      inputMode={otp ? 'numeric' : 'text'}
      autoComplete={otp ? 'one-time-code' : 'off'}
      autoCapitalize="none"
      spellCheck={false}
      size="md"
      value={value}
      error={fault}
      // Authenticators show "123 456"; it is entered and pasted like that.
      onChange={({ currentTarget: { value: typed } }) => onChange(otp ? typed.replace(/\D/g, '').slice(0, 6) : typed)}
    />
  );
}
