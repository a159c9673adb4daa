import type { ChildProcess } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scope } from '../scope.js';
import { hasEnded, startChild } from './child.js';

const startDeadline = 30_000;

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly origin: string;
  /** What answers 200 when the server is ready; `/v2/` unless given. */
  readonly readyPath?: string;
  /** Takes what the server prints; shown when it fails. */
  readonly logFile: string;
}

export class Server {
  private constructor(
    readonly origin: string,
    readonly pid: number,
    private readonly child: ChildProcess,
    private readonly logFile: string,
  ) {}

  /** Starts it and waits until it answers. @throws Error with the end of the log when it ends or stays silent. */
  static async start(scope: Scope, { command, args, origin, readyPath = '/v2/', logFile }: Command): Promise<Server> {
    const log = await open(logFile, 'a');
    try {
      const child = await startChild(scope, command, args, ['ignore', log.fd, log.fd]);
      const server = new Server(origin, child.pid ?? 0, child, logFile);
      await server.#ready(readyPath);
      return server;
    } finally {
      await log.close();
    }
  }

  /** What is wrong with the process, or undefined while it runs. */
  async complaint(): Promise<string | undefined> {
    if (!hasEnded(this.child)) return undefined;
    return `the server ended (${this.child.exitCode ?? this.child.signalCode ?? ''}): ${await this.lastWords()}`;
  }

  /** The end of what it printed. */
  async lastWords(): Promise<string> {
    const log = await readFile(this.logFile, 'utf8');
    return log.trim().slice(-1000) || 'its log is empty';
  }

  async #ready(path: string): Promise<void> {
    const deadline = Date.now() + startDeadline;
    while (!(await answers(`${this.origin}${path}`))) {
      const complaint = await this.complaint();
      if (complaint !== undefined) throw new Error(complaint);
      if (Date.now() > deadline) throw new Error(`no answer in ${startDeadline / 1000} s: ${await this.lastWords()}`);
      await sleep(25);
    }
  }
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 1000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}
