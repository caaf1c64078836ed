/** The part of texts/en.ts about the ways in besides a password: second factor, forgotten password, portal link. */
export const signInTexts = {
  mfa: {
    heading: 'Enter your code',
    submit: 'Sign in',
    failed: 'You are not signed in yet',
    over: 'This sign-in is over',
    again: 'Back to sign-in',
    otp: {
      lead: 'Your account also asks for a code from your authenticator app.',
      label: 'Code',
      hint: 'The six digits that the app shows now.',
      missing: 'Enter the six digits of the code.',
      refused: 'This code is not right. Codes change every 30 seconds and work once: enter the newest.',
      change: 'Use a recovery code',
    },
    recovery: {
      lead: 'Enter one of the recovery codes you kept when you turned two-factor sign-in on. It is used up by this.',
      label: 'Recovery code',
      hint: 'Capitals and dashes do not matter.',
      missing: 'Enter a recovery code.',
      refused: 'This recovery code is not right, or it was used before. Enter another one.',
      change: 'Use a code from the authenticator app',
    },
  },

  forgot: {
    heading: 'Forgot your password?',
    lead: 'Enter your address to get a link with which you choose a new password.',
    submit: 'Send the link',
    failed: 'No link was sent',
    back: 'Back to sign-in',
    detail: (email: string) =>
      `If ${email} belongs to an account, a message with a link is on its way. The link works once, within an hour.`,
    neutral: 'Until you choose a new password, the present one stays as it is.',
    again: 'Nothing arrived? Ask again',
  },

  reset: {
    heading: 'Choose a new password',
    lead: 'You will be signed out everywhere, and sign in again with the new password.',
    password: 'New password',
    submit: 'Change the password',
    failed: 'Your password was not changed',
    doneHeading: 'Password changed',
    done: 'Your password is changed. You were signed out everywhere.',
    signIn: 'Sign in',
    linkFailed: 'This link does not change a password',
    linkNext: 'A link works once, within an hour, and only the newest one works. Your password is as it was.',
    newLink: 'Get a new link',
  },

  portal: {
    heading: 'Open your account',
    working: 'Signing you in…',
    failed: 'This link did not open your account',
    next: 'The link works once and for five minutes. Go back to where you found it and open a new one.',
  },
};
