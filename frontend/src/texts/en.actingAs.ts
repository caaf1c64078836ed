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
    lead: 'You see what they see, for 30 minutes. They are told, and everything you change is written down.',
    reason: 'Reason',
    reasonHint: 'For the audit log, such as the number of a ticket.',
    reasonMissing: 'Say why.',
    access: 'What you may do',
    read: 'Look only',
    write: 'Look and use the account',
    submit: 'Begin',
    failed: 'Nothing was begun',
  },
};
