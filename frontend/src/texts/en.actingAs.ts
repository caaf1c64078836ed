/** The English texts of acting as a user. Part of the one catalogue in en.ts. */
export const actingAsTexts = {
  actingAs: {
    label: 'Acting as a user',
    actsAs: (who: string) => `You act as ${who}.`,
    looksOnly: 'You only look.',
    mayWrite: 'What you spend is theirs.',
    until: (moment: string) => `It ends at ${moment}.`,
    stop: 'Stop acting',
    over: 'You are yourself again',
    overDetail: 'The time to act as this user is over, or it was ended. What you see now is your own account.',
    begin: 'Act as this user',
    lead: 'You see what they see, for 30 minutes. They are told unless this service is set not to, and everything you change is written down.',
    reason: 'Reason',
    reasonHint: 'For the audit log, such as the number of a ticket.',
    reasonMissing: 'Say why.',
    access: 'What you may do',
    read: 'Look only',
    write: 'Look and use the account',
    submit: 'Begin',
    failed: 'Nothing was begun',
    refused: {
      impersonation_locked: {
        title: 'Not while you act as somebody else',
        detail: 'Payments, keys and the sign-in are for the user alone.',
        step: 'Ask the user to do it, or stop acting to do it for yourself.',
      },
      impersonation_read_only: {
        title: 'You only look',
        detail: 'You act as this user to see what they see, and change nothing.',
        step: 'Stop acting, and begin again with the right to use the account if your role has it.',
      },
    } as Record<string, { title: string; detail: string; step: string }>,
  },
};
