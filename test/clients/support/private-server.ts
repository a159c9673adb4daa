import { hash } from 'bcryptjs';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildWhenNeeded, type HostedOptions, HostedServer } from './hosted-server.js';
import { run } from './process.js';
import type { Scratch } from './scratch.js';

const PROGRAM = join(import.meta.dirname, '../../../dist/main');

/** Someone who signs in. */
export interface Account {
  readonly username: string;
  readonly password: string;
}

/** A server with private repositories. */
export interface PrivateServer {
  readonly server: HostedServer;
  /** May push to `local/team/**`, as every account whose name it makes. */
  readonly memberNamed: (name: string) => Account;
  readonly robot: Account;
}

/**
 * Starts a server with an access file: members push to `local/team`, nobody to `local/others`, and everybody pulls
 * from `local/open`.
 * @param members their names @param rules further ones @param options further keys of the access file
 */
export async function startPrivateServer(
  scratch: Scratch,
  members: readonly string[],
  { rules = '', keys = '', ...options }: HostedOptions & { rules?: string; keys?: string } = {},
): Promise<PrivateServer> {
  const password = randomBytes(12).toString('hex');
  const hashed = await hash(password, 4);
  const names = [...members, 'owner'];
  await writeFile(scratch.file('htpasswd'), names.map((name) => `${name}:${hashed}\n`).join(''));
  const access = `
users_file: ${scratch.file('htpasswd')}
robots_file: ${scratch.file('robots')}
groups: { team: [${members.join(', ')}] }
${keys}
rules:
  - { repositories: ['local/team/**'], who: ['group:team', 'robot:ci'], may: [push] }
  - { repositories: ['local/others/**', 'local/open/**'], who: ['user:owner'], may: [push] }
  - { repositories: ['local/open/**'], who: [anonymous], may: [pull] }
${rules}
`;
  await buildWhenNeeded();
  const printed = await run(process.execPath, [PROGRAM, 'robot', 'add', 'ci', '--file', scratch.file('robots')]);
  const [username = '', secret = ''] = printed.match(/robot\+ci|ocir_\S+/g) ?? [];
  const server = await HostedServer.start(scratch, { ...options, access });
  return {
    server,
    memberNamed: (name) => ({ username: name, password }),
    robot: { username, password: secret },
  };
}
