import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A temporary folder with everything that was started in it; closing ends the newest first and deletes the folder. */
export class Scratch {
  private readonly endings: (() => Promise<unknown>)[] = [];

  private constructor(readonly path: string) {}

  static async open(): Promise<Scratch> {
    const scratch = new Scratch(await mkdtemp(join(tmpdir(), 'mirror-clients-')));
    process.once('exit', scratch.discard);
    return scratch;
  }

  file(...names: string[]): string {
    return join(this.path, ...names);
  }

  async folder(...names: string[]): Promise<string> {
    const path = this.file(...names);
    await mkdir(path, { recursive: true });
    return path;
  }

  /** Deletes a folder inside this one, whatever a daemon has left mounted there. */
  async remove(path: string): Promise<void> {
    unmountBelow(path);
    await rm(path, { recursive: true, force: true, maxRetries: 5 });
  }

  onClose(ending: () => Promise<unknown>): void {
    this.endings.push(ending);
  }

  /** Every ending runs and the folder goes, whichever of them fails; the failures are thrown afterwards. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    const attempt = async (ending: () => Promise<unknown>) => {
      await ending().catch((error: unknown) => failures.push(error));
    };
    while (this.endings.length > 0) await attempt(this.endings.pop()!);
    await attempt(() => this.remove(this.path));
    process.off('exit', this.discard);
    if (failures.length > 0) throw new AggregateError(failures, 'something that the test started could not be ended');
  }

  /** What can still be done about the folder when the run is interrupted; `process.ts` has killed what was running. */
  private readonly discard = (): void => {
    unmountBelow(this.path);
    rmSync(this.path, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
}

function unmountBelow(path: string): void {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((candidate) => candidate.startsWith(`${path}/`)).reverse()) {
    execFileSync('umount', ['--lazy', mount]);
  }
}
