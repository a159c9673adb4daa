import { join } from 'node:path';
import type { Account } from '../private-server.js';
import { run } from '../process.js';
import type { Scratch } from '../scratch.js';

/** Where .ci/install-clients puts it and what it needs. */
const LIBRARY = '/usr/local/lib/jib/*';

export interface JibBuild {
  /** An image's name, or `scratch`. */
  readonly base: string;
  readonly target: string;
  /** Further tags. */
  readonly tags?: readonly string[];
  readonly architectures?: readonly string[];
  readonly format?: 'OCI' | 'Docker';
  readonly account?: Account;
  /** Address of a mirror of Docker Hub. */
  readonly mirror?: string;
}

/** jib, which builds an image of a file of the scratch folder and pushes it over http. */
export class Jib {
  private builds = 0;

  constructor(private readonly scratch: Scratch) {}

  /** @returns the digest that it pushed */
  async push(build: JibBuild): Promise<string> {
    const { base, target, tags = [], architectures = ['amd64'], format = 'OCI', account, mirror } = build;
    this.builds += 1;
    // Each has a cache of its own, as builds on several hosts have.
    const cache = await this.scratch.folder('jib', String(this.builds));
    const environment = {
      ...{ BASE: base, TARGET: target, TAGS: tags.join(','), ARCHITECTURES: architectures.join(','), FORMAT: format },
      ...{ CACHE: cache, FILE: this.scratch.file('jib/file'), HOME: cache },
      ...(account && { USERNAME: account.username, PASSWORD: account.password }),
      ...(mirror !== undefined && { MIRROR: mirror }),
    };
    const options = ['-XX:TieredStopAtLevel=1', '-DsendCredentialsOverHttp=true', '-Djib.console=plain'];
    const source = join(import.meta.dirname, 'Push.java');
    return (await run('java', [...options, '-cp', LIBRARY, source], { environment })).trim();
  }
}
