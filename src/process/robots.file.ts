import { open, readFile, rename, rm } from 'node:fs/promises';
import {
  formatRobots,
  hasExpired,
  hashOfSecret,
  isRobotName,
  makeRobotSecret,
  parseRobots,
  usernameOf,
  type Robot,
} from '../access/authenticators/robots.js';
import type { RobotTask } from '../cli/robot.commands.js';
import { StartError } from '../cli/start-error.js';

/**
 * Does what a robot command says to the robots file, which running servers read again.
 * @returns the lines to print. @throws StartError
 */
export async function keepRobots(task: RobotTask, file: string, now: number): Promise<string[]> {
  const robots = new Map(await readRobots(file, task.kind === 'add'));
  if (task.kind === 'list') return [...robots.values()].map((robot) => describe(robot, now));
  if (task.kind === 'remove') {
    if (!robots.delete(task.name)) throw new StartError(`there is no robot ${task.name}`);
    await writeRobots(file, robots.values());
    return [`removed ${task.name}`];
  }
  const { name, lifetime } = task;
  if (!isRobotName(name)) throw new StartError('a name has up to 128 characters of a-z, 0-9, dot, dash and underscore');
  if (robots.has(name) !== (task.kind === 'rotate'))
    throw new StartError(task.kind === 'add' ? `${name} is there already: rotate it` : `there is no robot ${name}`);
  const secret = makeRobotSecret();
  const kept = lifetime === undefined ? robots.get(name)?.expiresAt : now + lifetime;
  robots.set(name, { name, hash: hashOfSecret(secret), ...(kept !== undefined && { expiresAt: kept }) });
  await writeRobots(file, robots.values());
  return [`username: ${usernameOf(name)}`, `password: ${secret}`];
}

function describe(robot: Robot, now: number): string {
  const end = robot.expiresAt === undefined ? 'does not expire' : new Date(robot.expiresAt).toISOString();
  return `${robot.name}  ${end}${hasExpired(robot, now) ? '  expired' : ''}`;
}

async function readRobots(file: string, mayBeMissing: boolean): Promise<ReadonlyMap<string, Robot>> {
  try {
    return parseRobots(await readFile(file, 'utf8'));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    if (code === 'ENOENT' && mayBeMissing) return new Map();
    throw new StartError(`${file}: ${code ?? (error instanceof Error ? error.message : 'unreadable')}`);
  }
}

/** Replaces the file, so that a server never reads a half of it. Hashes are not for others to read. */
async function writeRobots(file: string, robots: Iterable<Robot>): Promise<void> {
  const temporary = `${file}.${process.pid}`;
  try {
    const handle = await open(temporary, 'w', 0o640);
    try {
      await handle.writeFile(formatRobots(robots));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new StartError(
      `${file}: ${error instanceof Error && 'code' in error ? String(error.code) : 'cannot be written'}`,
    );
  }
}
