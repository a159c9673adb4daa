import { FileRest } from '../../config/files/file.rest.js';
import { parsePassword } from '../../config/files/password-file.js';
import { markOf, readRegularFile } from '../../config/files/regular.file.js';
import type { StaticSettings } from '../../config/credentials/static.settings.js';
import { Secret } from '../../config/values/secret.js';
import { CredentialError, type CredentialSource, type UpstreamCredentials } from './credential.source.js';

/** A user and a password of the upstream file, or of a file that others write. */
export class StaticSource implements CredentialSource {
  readonly kind = 'static';
  private readonly rest: FileRest | undefined;
  private known: Secret | undefined;

  constructor(private readonly settings: Pick<StaticSettings, 'username' | 'password' | 'passwordFile'>) {
    if (settings.passwordFile !== undefined) this.rest = new FileRest(settings.passwordFile);
  }

  async fetch(): Promise<UpstreamCredentials | undefined> {
    const { username, passwordFile } = this.settings;
    if (passwordFile === undefined) return passwordOf(this.settings);
    return passwordOf({ username, password: await this.readAtRest(passwordFile) });
  }

  mark(): Promise<string> {
    const { passwordFile } = this.settings;
    return passwordFile === undefined ? Promise.resolve('') : markOf(passwordFile);
  }

  isResting(): Promise<boolean> {
    return this.rest?.isResting() ?? Promise.resolve(true);
  }

  /** What was read before stays while it is being written. @throws CredentialError */
  private async readAtRest(file: string): Promise<Secret> {
    if (await this.rest?.wait()) {
      const before = await markOf(file).catch(() => '');
      const password = await readPassword(file);
      // Writing may have begun in between.
      if ((await markOf(file).catch(() => '')) === before) return (this.known = password);
    }
    if (this.known) return this.known;
    throw new CredentialError(`${file} is still being written`);
  }
}

/** The credentials as the settings have them; a password file as it was when they were read. */
export function passwordOf({
  username,
  password,
}: Pick<StaticSettings, 'username' | 'password'>): UpstreamCredentials | undefined {
  return password && { username, password, kind: 'password', identity: `user ${username}` };
}

async function readPassword(file: string): Promise<Secret> {
  const password = parsePassword(await readText(file));
  if (password === undefined) throw new CredentialError(`${file} must contain one line of text`);
  return new Secret(password);
}

async function readText(file: string): Promise<string> {
  try {
    return await readRegularFile(file);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new CredentialError(`${file} cannot be read: ${reason}`);
  }
}
