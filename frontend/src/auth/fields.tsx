import { PasswordInput, TextInput } from '@mantine/core';
import { texts } from '../texts/en';

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
  /** Whether the password is being chosen; then the rule is shown and managers offer a new one. */
  readonly fresh?: boolean;
}

export function PasswordField({ value, onChange, fault, fresh = false }: PasswordFieldProps) {
  return (
    <PasswordInput
      label={texts.fields.password}
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
