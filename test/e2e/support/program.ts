import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from './until.js';

const project = join(import.meta.dirname, '../../..');

/** Compiles the program unless that has been done; one test file at a time, because they share the result. */
export async function build(): Promise<void> {
  const lock = join(tmpdir(), `oci-registry-build-${createHash('sha256').update(project).digest('hex').slice(0, 16)}`);
  const isMine = () =>
    mkdir(lock).then(
      () => true,
      () => false,
    );
  await until('another build has ended', isMine, 120_000);
  try {
    await promisify(execFile)(process.execPath, ['scripts/build-when-needed.mjs'], { cwd: project });
  } finally {
    await rm(lock, { recursive: true });
  }
}

export interface ProgramOptions {
  /** All of the environment: nothing of the caller's comes along. There is no admin address unless one is asked for. */
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** Another copy of the program than the one that was built here. */
  readonly script?: string;
  /** Shell commands that mount something only the program sees; where `hasMounts`. */
  readonly mounts?: string;
}

/** Whether this user may mount, in a namespace of a process. */
export const hasMounts = (() => {
  try {
    execFileSync('unshare', ['-m', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** `node dist/main` with arguments, as a user runs it. */
export class Program implements AsyncDisposable {
  stdout = '';
  stderr = '';
  private ended: Ended | undefined;
  /** Resolves when the process has ended and everything it said is here. */
  readonly end: Promise<Ended>;

  private constructor(private readonly child: ChildProcess) {
    child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.end = new Promise((resolve) => {
      child.once('close', (code, signal) => resolve((this.ended = { code, signal })));
    });
  }

  static spawn(
    args: readonly string[],
    { env = {}, cwd = tmpdir(), script = join(project, 'dist/main.js'), mounts }: ProgramOptions = {},
  ): Program {
    const all = { PATH: process.env.PATH ?? '', ADMIN_LISTEN: 'off', ...env };
    const command = [process.execPath, script, ...args];
    // The process stays the same one through both of them.
    if (mounts !== undefined) command.unshift('unshare', '-m', 'sh', '-c', `${mounts} && exec "$0" "$@"`);
    const [file = '', ...rest] = command;
    return new Program(spawn(file, rest, { env: all, cwd, stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  /** Changes what it has mounted. */
  async mount(script: string, cwd: string): Promise<void> {
    await promisify(execFile)('nsenter', ['-t', String(this.pid), '-m', `--wdns=${cwd}`, 'sh', '-c', script]);
  }

  /** Runs it to its end. */
  static async run(args: readonly string[], options?: ProgramOptions): Promise<Program & Ended> {
    const program = Program.spawn(args, options);
    const timer = setTimeout(() => program.kill('SIGKILL'), 20_000);
    const ended = await program.end;
    clearTimeout(timer);
    return Object.assign(program, ended);
  }

  /** Starts it and waits until it listens. @throws what it said when it ends instead */
  static async start(args: readonly string[], options?: ProgramOptions): Promise<Program> {
    const program = Program.spawn(args, options);
    try {
      await until(
        'the program listens',
        () => {
          if (program.ended) throw new Error(`it ended with ${String(program.ended.code)}: ${program.stderr}`);
          return program.stdout.includes('listening on ');
        },
        30_000,
      );
    } catch (error) {
      await program[Symbol.asyncDispose]();
      throw error;
    }
    return program;
  }

  /** `http://127.0.0.1:port`, or https, for programs that listen on a port. */
  get url(): string {
    return /listening on (https?:[^"]+)/.exec(this.stdout)![1]!;
  }

  /** What it logged, line by line. */
  get log(): Record<string, unknown>[] {
    return this.stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  get pid(): number {
    return this.child.pid!;
  }

  get isRunning(): boolean {
    return this.ended === undefined;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning) this.kill('SIGKILL');
    await this.end;
  }
}
