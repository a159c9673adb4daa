/** The users of a file. */
export interface Users {
  /** By user name. */
  readonly hashes: ReadonlyMap<string, string>;
  /**
   * What an unknown user is compared with, so that names cannot be told apart by the time that a password takes; undefined
   * without users.
   */
  readonly costliest: string | undefined;
}

/** Milliseconds for which a file has to stay empty to count: an editor may empty it before it writes. */
const emptyTime = 5_000;

/** A bcrypt hash (`$2y$10$…`); the cost is bounded, since each sign-in pays it. */
const bcryptHash = /^\$2[aby]\$(0[4-9]|1[0-4])\$[./A-Za-z0-9]{53}$/;

/**
 * Reads an htpasswd file (`htpasswd -B`): lines of a name, a colon and a bcrypt hash; empty lines and lines that begin
 * with # count for nothing.
 * @throws Error that names the line, for other hashes and repeated names
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
  const costliest = [...users.values()].reduce<string | undefined>(
    (most, hash) => (most === undefined || costOf(hash) > costOf(most) ? hash : most),
    undefined,
  );
  return { hashes: users, costliest };
}

/**
 * For the versions of one htpasswd file: as `parseHtpasswd`, but an empty version after one with users is an error until
 * it has been there for some seconds.
 * @param now monotonic, in milliseconds
 */
export function htpasswdReader(now: () => number): (text: string) => Users {
  let hadContent = false;
  let emptySince: number | undefined;
  return (text) => {
    if (text.trim() === '') {
      emptySince ??= now();
      if (hadContent && now() - emptySince < emptyTime)
        throw new Error(`is empty, which counts after ${emptyTime / 1000} seconds`);
    } else emptySince = undefined;
    const users = parseHtpasswd(text);
    hadContent = users.hashes.size > 0;
    return users;
  };
}

/** Two digits. */
function costOf(hash: string): string {
  return hash.slice(4, 6);
}
