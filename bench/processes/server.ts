import type { ChildProcess } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scope } from '../scope.js';
import { hasEnded, startChild } from './child.js';

const startDeadline = 30_000;
/** Milliseconds between two questions whether it is ready: the error of `readyMillis`. */
const tick = 5;

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly origin: string;
  /** Where its operator's requests go, when they go elsewhere. */
  readonly adminOrigin?: string;
  /** What answers 200, or 401, when the server is ready; `/v2/` unless given. */
  readonly readyPath?: string;
  /** Takes what the server prints; shown when it fails. */
  readonly logFile: string;
}

export class Server {
  private constructor(
    readonly origin: string,
    readonly adminOrigin: string | undefined,
    readonly pid: number,
    /** Milliseconds from before it was started until its first answer had come. */
    readonly readyMillis: number,
    private readonly child: ChildProcess,
    private readonly logFile: string,
  ) {}

  /** Starts it and waits until it answers. @throws Error with the end of the log when it ends or stays silent. */
  static async start(scope: Scope, command: Command): Promise<Server> {
    const { args, environment, origin, adminOrigin, readyPath = '/v2/', logFile } = command;
    const log = await open(logFile, 'a');
    try {
      const before = performance.now();
      const child = await startChild(scope, command.command, args, ['ignore', log.fd, log.fd], environment);
      await untilReady(`${origin}${readyPath}`, child, logFile);
      return new Server(origin, adminOrigin, child.pid ?? 0, performance.now() - before, child, logFile);
    } finally {
      await log.close();
    }
  }

  /** What is wrong with the process, or undefined while it runs. */
  async complaint(): Promise<string | undefined> {
    return complaintOf(this.child, this.logFile);
  }

  /** The end of what it printed. */
  lastWords(): Promise<string> {
    return endOf(this.logFile);
  }
}

async function untilReady(url: string, child: ChildProcess, logFile: string): Promise<void> {
  const deadline = Date.now() + startDeadline;
  while (!(await responses(url))) {
    const complaint = await complaintOf(child, logFile);
    if (complaint !== undefined) throw new Error(complaint);
    if (Date.now() > deadline) throw new Error(`no answer in ${startDeadline / 1000} s: ${await endOf(logFile)}`);
    await sleep(tick);
  }
}

async function complaintOf(child: ChildProcess, logFile: string): Promise<string | undefined> {
  if (!hasEnded(child)) return undefined;
  return `the server ended (${child.exitCode ?? child.signalCode ?? ''}): ${await endOf(logFile)}`;
}

async function endOf(logFile: string): Promise<string> {
  return (await readFile(logFile, 'utf8')).trim().slice(-1000) || 'its log is empty';
}

function responses(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 1000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 || response.statusCode === 401);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}
