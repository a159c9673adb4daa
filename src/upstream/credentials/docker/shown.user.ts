const maxLength = 64;
/** Some people sign in with a token in place of the user. */
const token = /^(?:gh[a-z]_|github_pat_|gl[a-z]+-|dckr_[a-z]+_|ya29[.]|eyJ|ey[A-Za-z0-9_-]+[.])|[A-Za-z0-9+/_=-]{40,}/;

/** A user for operators, unless it looks like a secret. */
export function shownUser(username: string): string {
  if (username === '') return 'a user without a name';
  if (username.length > maxLength || token.test(username) || !/^[\x20-\x7e]+$/.test(username)) return 'a user';
  return `user ${username}`;
}
