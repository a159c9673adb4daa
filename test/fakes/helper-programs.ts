import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Scripts named `docker-credential-…` in a folder at the head of PATH. */
export class HelperPrograms implements AsyncDisposable {
  private constructor(
    readonly folder: string,
    private readonly path: string | undefined,
  ) {}

  static async make(): Promise<HelperPrograms> {
    const root = await mkdtemp(join(tmpdir(), 'oci-registry-helpers-'));
    const programs = new HelperPrograms(root, process.env.PATH);
    await mkdir(join(root, 'bin'));
    process.env.PATH = [join(root, 'bin'), programs.path].join(delimiter);
    return programs;
  }

  /** @param script of a POSIX shell; `$OUT` is a folder for its notes. @returns the path of the program */
  async add(name: string, script: string, interpreter = '/bin/sh', mode = 0o755): Promise<string> {
    const file = join(this.folder, 'bin', `docker-credential-${name}`);
    await writeFile(file, `#!${interpreter}\nOUT='${this.folder}'\n${script}\n`);
    await chmod(file, mode);
    return file;
  }

  /** A note that a program has written to `$OUT`; empty if it has not. */
  async note(name: string): Promise<string> {
    return await readFile(join(this.folder, name), 'utf8').catch(() => '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.env.PATH = this.path;
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The state of a process: `R`, `S`, `Z` …; undefined when there is none. */
export async function stateOf(pid: string): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid.trim()}/stat`, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : /\) (\S)/.exec(text)?.[1];
}
