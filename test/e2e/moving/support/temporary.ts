import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder for temporary files that no other test uses at the same time, so that what is left in it can be counted. */
export class Temporary implements AsyncDisposable {
  private constructor(
    private readonly path: string,
    private readonly former: string | undefined,
  ) {}

  /** Programs and this process put their temporary files there until it is disposed. */
  static async make(): Promise<Temporary> {
    const path = await mkdtemp(join(tmpdir(), 'oci-registry-e2e-'));
    const former = process.env.TMPDIR;
    process.env.TMPDIR = path;
    return new Temporary(path, former);
  }

  /** Names of what was put there and not removed. */
  left(): Promise<string[]> {
    return readdir(this.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.former === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = this.former;
    await rm(this.path, { recursive: true });
  }
}
