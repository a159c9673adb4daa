/** Whether it can follow `docker-credential-` in the name of a program: a part of a path would run another program. */
export function isHelperName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text);
}
