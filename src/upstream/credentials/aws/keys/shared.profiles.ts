import { homedir } from 'node:os';
import { join } from 'node:path';
import { readRegularFile } from '../../../../config/files/regular.file.js';
import type { Environment } from '../../../../config/aws/environment.js';
import { parseSharedConfig, type Section } from '../../../../config/aws/shared-config.js';
import { CredentialError } from '../../credential.source.js';
import { variable } from './aws.keys.js';

/** The profiles of the two files of the AWS tools. */
export class SharedProfiles {
  private constructor(
    private readonly config: ReadonlyMap<string, Section>,
    private readonly credentials: ReadonlyMap<string, Section>,
    /** For messages. */
    readonly files: string,
  ) {}

  /** A missing file has no profiles. @throws CredentialError when a file cannot be read */
  static async read(env: Environment): Promise<SharedProfiles> {
    const [config, credentials] = sharedFiles(env);
    return new SharedProfiles(
      await readSections(config),
      await readSections(credentials),
      `${config} and ${credentials}`,
    );
  }

  /** What both files say of a profile; the file of credentials counts, as for the AWS tools. */
  find(name: string): Section | undefined {
    const own = this.config.get(`profile ${name}`) ?? (name === 'default' ? this.config.get('default') : undefined);
    const secret = this.credentials.get(name);
    return own || secret ? { ...own, ...secret } : undefined;
  }
}

/** The paths of the configuration file and of the credentials file. */
export function sharedFiles(env: Environment): readonly [string, string] {
  const folder = join(variable(env, 'HOME') ?? homedir(), '.aws');
  return [
    variable(env, 'AWS_CONFIG_FILE') ?? join(folder, 'config'),
    variable(env, 'AWS_SHARED_CREDENTIALS_FILE') ?? join(folder, 'credentials'),
  ];
}

async function readSections(path: string): Promise<ReadonlyMap<string, Section>> {
  try {
    return parseSharedConfig(await readRegularFile(path));
  } catch (error) {
    const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return new Map();
    throw new CredentialError(`${path} ${code === undefined ? (error as Error).message : `cannot be read (${code})`}`);
  }
}
