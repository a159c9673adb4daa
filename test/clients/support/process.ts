import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { until } from './until.js';

export type Environment = Record<string, string>;

const PACKAGES: Record<string, string> = {
  buildah: 'buildah',
  containerd: 'containerd',
  ctr: 'containerd',
  docker: 'docker.io',
  'docker-registry': 'docker-registry',
  dockerd: 'docker.io',
  htpasswd: 'apache2-utils',
  java: 'openjdk-17-jdk-headless',
  ldapadd: 'ldap-utils',
  ldapwhoami: 'ldap-utils',
  openssl: 'openssl',
  podman: 'podman',
  skopeo: 'skopeo',
  slapd: 'slapd',
};

/** Runs a program to its end and returns what it printed; throws with its errors when it fails or takes longer. */
export async function run(
  program: string,
  args: string[],
  {
    environment = {},
    directory,
    deadline = 120_000,
  }: { environment?: Environment; directory?: string; deadline?: number } = {},
): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, args, {
      env: { ...inherited(), ...environment },
      cwd: directory,
      timeout: deadline,
      killSignal: 'SIGKILL',
      maxBuffer: 16 << 20,
    });
    return stdout.trim();
  } catch (error) {
    throw explained(program, error as NodeJS.ErrnoException & { killed?: boolean }, deadline);
  }
}

/** Nothing of the caller's environment may change what a client does, so only these two come along. */
function inherited(): Environment {
  return { PATH: process.env['PATH'] ?? '', LANG: 'C.UTF-8' };
}

function explained(program: string, error: NodeJS.ErrnoException & { killed?: boolean }, deadline: number): Error {
  if (error.code === 'ENOENT') return new Error(missing(program), { cause: error });
  if (error.killed === true) return new Error(`${program} did not end within ${deadline} ms`, { cause: error });
  return error;
}

function missing(program: string): string {
  const source = PACKAGES[program];
  const remedy = source === undefined ? '' : `; it is in the Debian package ${source}`;
  return `${program} is not installed${remedy} (.ci/install-clients installs what this suite needs)`;
}

const running = new Set<ChildProcess>();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** A program that keeps running, its output in a file, until it is stopped. */
export class Daemon {
  private ended: string | undefined;
  private readonly exit: Promise<number | null>;

  private constructor(
    private readonly program: string,
    private readonly child: ChildProcess,
    private readonly logFile: string,
  ) {
    running.add(child);
    this.exit = new Promise((resolve) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        this.ended = error.code === 'ENOENT' ? missing(program) : error.message;
        running.delete(child);
        resolve(null);
      });
      child.once('exit', (code, signal) => {
        this.ended = `${program} ended with ${signal ?? `code ${code ?? '?'}`}`;
        running.delete(child);
        resolve(code);
      });
    });
  }

  /** Starts the program and returns once `ready` says yes; its log's end is in the error when it never does. */
  static async start(
    program: string,
    args: string[],
    options: { log: string; ready: () => Promise<boolean>; environment?: Environment },
  ): Promise<Daemon> {
    const output = openSync(options.log, 'a');
    const child = spawn(program, args, {
      env: { ...inherited(), ...options.environment },
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    const daemon = new Daemon(program, child, options.log);
    try {
      await until(`${program} answers`, () => {
        if (daemon.ended !== undefined) throw new Error(daemon.ended);
        return options.ready();
      });
    } catch (error) {
      await daemon.stop();
      throw new Error(`${(error as Error).message}\n${await daemon.logTail()}`, { cause: error });
    }
    return daemon;
  }

  /** Asks the program to end and returns its exit code; one that does not end in time is killed and that is an error. */
  async stop(deadline = 40_000): Promise<number | null> {
    if (this.ended !== undefined) return this.exit;
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), deadline);
    const code = await this.exit;
    clearTimeout(timer);
    if (this.child.signalCode === 'SIGKILL') throw new Error(`${this.program} did not end within ${deadline} ms`);
    return code;
  }

  private async logTail(): Promise<string> {
    return (await readFile(this.logFile, 'utf8')).split('\n').slice(-30).join('\n');
  }
}
