/** Where browsers sign in: they send the password to all paths below that of the challenge. Its value is where to go then. */
export const signInPath = '/?sign-in';
