import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** An account of a machine. */
export interface Robot {
  readonly name: string;
  /** SHA-256 of the secret, in hexadecimal: it has 256 random bits, so that a slow hash would add nothing. */
  readonly hash: string;
  /** Milliseconds since 1970; undefined when it does not expire. */
  readonly expiresAt?: number;
}

/** What robots sign in with: `robot+NAME`. */
const usernamePrefix = 'robot+';
const secretPrefix = 'ocir_';
const namePattern = /^[a-z0-9](?:[a-z0-9._-]{0,126}[a-z0-9])?$/;

/**
 * Reads a robots file: lines of a name, a hash and an optional end as an ISO 8601 time; `#` begins a comment.
 * @throws Error that names the line
 */
export function parseRobots(text: string): ReadonlyMap<string, Robot> {
  const robots = new Map<string, Robot>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const [name, hash = '', end, ...more] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (name === undefined || name === '') continue;
    const expiresAt = end === undefined ? undefined : Date.parse(end);
    const isValid = isRobotName(name) && /^sha256:[0-9a-f]{64}$/.test(hash) && more.length === 0;
    if (!isValid || Number.isNaN(expiresAt)) throw new Error(`line ${index + 1} is not a name, sha256:HASH and an end`);
    if (robots.has(name)) throw new Error(`line ${index + 1} repeats a name`);
    robots.set(name, { name, hash: hash.slice('sha256:'.length), ...(expiresAt !== undefined && { expiresAt }) });
  }
  return robots;
}

export function formatRobots(robots: Iterable<Robot>): string {
  const lines = [...robots].map(({ name, hash, expiresAt }) => {
    const end = expiresAt === undefined ? '' : ` ${new Date(expiresAt).toISOString()}`;
    return `${name} sha256:${hash}${end}\n`;
  });
  return `# Robots of oci-registry: name, hash of the secret, end. Kept by: oci-registry robot\n${lines.join('')}`;
}

export function isRobotName(name: string): boolean {
  return namePattern.test(name);
}

/** A new secret of 256 random bits. */
export function makeRobotSecret(): string {
  return secretPrefix + randomBytes(32).toString('base64url');
}

export function hashOfSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** The name in a user name of a robot; undefined for other users. */
export function robotOf(username: string): string | undefined {
  return username.startsWith(usernamePrefix) ? username.slice(usernamePrefix.length) : undefined;
}

export function usernameOf(robot: string): string {
  return usernamePrefix + robot;
}

/** Takes the same time for every wrong secret, and for a robot that does not exist. @param now milliseconds since 1970 */
export function isRobot(robot: Robot | undefined, secret: string, now: number): boolean {
  const expected = Buffer.from(robot?.hash ?? '0'.repeat(64), 'hex');
  const isEqual = timingSafeEqual(expected, Buffer.from(hashOfSecret(secret), 'hex'));
  return isEqual && robot !== undefined && !hasExpired(robot, now);
}

export function hasExpired({ expiresAt }: Robot, now: number): boolean {
  return expiresAt !== undefined && now >= expiresAt;
}
