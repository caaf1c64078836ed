import { texts } from '../texts';
import { formatCount } from '../texts/format';

/** Bounds of a password's length in characters (code points, as the server counts). There is no other rule here. */
const LEAST = 12;
const MOST = 128;

/** What is wrong with a new password, in words; null when its length is right. */
export function passwordFault(password: string, email: string | null = null): string | null {
  const length = Array.from(password).length;
  if (length < LEAST) return texts.fields.passwordTooShort(formatCount(length), formatCount(LEAST));
  if (length > MOST) return texts.fields.passwordTooLong(formatCount(length), formatCount(MOST));
  if (email !== null && password.toLowerCase() === email.toLowerCase()) return texts.fields.passwordIsAddress;
  return null;
}

/** What is wrong with an address as far as a page can tell; whether it exists only a message shows. */
export function emailFault(email: string): string | null {
  return /^[^\s@]+@[^\s@]+$/u.test(email) ? null : texts.fields.emailMissing;
}
