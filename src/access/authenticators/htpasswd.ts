/** The users of a file. */
export interface Users {
  /** By user name. */
  readonly hashes: ReadonlyMap<string, string>;
  /** What an unknown user is compared with, so that names cannot be told apart by the time that a password takes. */
  readonly costliest: string;
}

/** A bcrypt hash (`$2y$10$…`); the cost is bounded, since each sign-in pays it. */
const bcryptHash = /^\$2[aby]\$(0[4-9]|1[0-4])\$[./A-Za-z0-9]{53}$/;

/**
 * Reads an htpasswd file (`htpasswd -B`): lines of a name, a colon and a bcrypt hash; empty lines and lines that begin
 * with # count for nothing.
 * @throws Error that names the line, for other hashes and repeated names; also without any user
 */
export function parseHtpasswd(text: string): Users {
  const users = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const entry = line.trim();
    if (entry === '' || entry.startsWith('#')) continue;
    const colon = entry.indexOf(':');
    const [name, hash] = [entry.slice(0, colon), entry.slice(colon + 1)];
    if (colon < 1) throw new Error(`line ${index + 1} is not a name, a colon and a hash`);
    if (!bcryptHash.test(hash))
      throw new Error(`line ${index + 1} has no bcrypt hash of cost 4 to 14: htpasswd -B makes them`);
    if (users.has(name)) throw new Error(`line ${index + 1} repeats a name`);
    users.set(name, hash);
  }
  // An editor that empties the file before it writes must not lock everybody out.
  const [first, ...others] = users.values();
  if (first === undefined) throw new Error('has no users');
  return {
    hashes: users,
    costliest: others.reduce((most, hash) => (costOf(hash) > costOf(most) ? hash : most), first),
  };
}

/** Two digits. */
function costOf(hash: string): string {
  return hash.slice(4, 6);
}
