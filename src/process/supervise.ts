import cluster, { type Worker } from 'node:cluster';
import { clearSocketFile } from '../cli/socket-file.js';
import { workerVariable } from '../cli/worker-place.js';
import { parseListenAddress } from '../config/values/listen-address.js';
import type { ServerSettings } from '../config/server.settings.js';
import type { Settings } from '../config/settings.js';
import { JsonLogger } from '../observability/logging/json.logger.js';
import { logDestination } from '../observability/logging/log.destination.js';

/** What the supervisor tells a worker: a signal that it got. */
export interface Order {
  readonly signal: 'SIGTERM' | 'SIGINT' | 'SIGHUP';
}

/** How often one worker may die within so many milliseconds before all of it is given up. */
const maxDeaths = 5;
const deathWindow = 60_000;
/** Milliseconds until a worker that died for the first time comes back; each further death doubles them. */
const firstPause = 100;
/** Milliseconds that workers may take to end, besides those of the drain settings. */
const exitGrace = 10_000;

/**
 * Runs `--workers` processes on one socket until SIGTERM or SIGINT, and starts again those that die.
 * @returns the exit code: 0, 1 when workers kept dying, or that of the first one when it cannot start, which says why
 * @throws StartError when something else has the name of the socket file
 */
export async function supervise({ server }: Settings): Promise<number> {
  const address = parseListenAddress(server.listen);
  // Once, and here: to a worker, the socket that its siblings share would look like somebody else's.
  if (address && 'path' in address) await clearSocketFile(address.path);
  // Node's other policy hands connections over one by one; one given to a worker that dies just then would hang for ever.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  const logger = new JsonLogger(server.logLevel, await logDestination(server));
  return new Supervisor(server, logger).run();
}

class Supervisor {
  private readonly workers = new Map<number, Worker>();
  private readonly pauses = new Map<number, NodeJS.Timeout>();
  /** When each worker died lately, on the monotonic clock. */
  private readonly deaths = new Map<number, readonly number[]>();
  private hasStarted = false;
  /** The exit code, as soon as it is all over. */
  private verdict: number | undefined;
  private deadline: NodeJS.Timeout | undefined;
  private end: (code: number) => void = () => undefined;

  constructor(
    private readonly settings: ServerSettings,
    private readonly logger: JsonLogger,
  ) {}

  /** The first worker comes alone: what keeps it from starting is said once. */
  run(): Promise<number> {
    this.watchSignals();
    return new Promise((resolve) => {
      this.end = resolve;
      this.fork(1).once('listening', () => {
        this.hasStarted = true;
        if (this.verdict !== undefined) return;
        this.say('log', `serving with ${this.settings.workers} workers`);
        for (let place = 2; place <= this.settings.workers; place += 1) this.fork(place);
      });
    });
  }

  private watchSignals(): void {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      // Workers end with the process that they belong to.
      process.on(signal, () => (this.verdict === undefined ? this.stop(signal, 0) : process.exit(1)));
    }
    if (this.settings.tlsCert !== undefined) process.on('SIGHUP', () => this.tell({ signal: 'SIGHUP' }));
  }

  private fork(place: number): Worker {
    const worker = cluster.fork({ [workerVariable]: String(place) });
    this.workers.set(place, worker);
    // A message to one that has just died: its end tells what matters.
    worker.on('error', (error) => this.say('debug', `worker ${place}: ${error.message}`));
    worker.once('exit', (code: number | null, signal: string | null) => {
      this.workers.delete(place);
      this.exited(place, code, signal);
    });
    return worker;
  }

  private exited(place: number, code: number | null, signal: string | null): void {
    if (this.verdict !== undefined) {
      if (this.workers.size === 0) this.finish(this.verdict);
    } else if (!this.hasStarted) {
      this.verdict = code ?? 1;
      this.finish(this.verdict);
    } else {
      this.restart(place, signal ?? `exit code ${code}`);
    }
  }

  private restart(place: number, cause: string): void {
    const now = performance.now();
    const deaths = [...(this.deaths.get(place) ?? []), now].filter((at) => now - at < deathWindow);
    this.deaths.set(place, deaths);
    if (deaths.length >= maxDeaths) {
      this.say('error', `worker ${place} ended (${cause}) ${maxDeaths} times within a minute, giving up`);
      this.stop('SIGTERM', 1);
      return;
    }
    const pause = firstPause * 2 ** (deaths.length - 1);
    this.say('error', `worker ${place} ended (${cause}), starting it again in ${pause} ms`);
    const timer = setTimeout(() => {
      this.pauses.delete(place);
      this.fork(place);
    }, pause);
    this.pauses.set(place, timer);
  }

  private stop(signal: 'SIGTERM' | 'SIGINT', verdict: number): void {
    this.verdict = verdict;
    for (const timer of this.pauses.values()) clearTimeout(timer);
    if (this.workers.size === 0) {
      this.finish(verdict);
      return;
    }
    this.say('log', `${signal}: ending ${this.workers.size} workers`);
    this.tell({ signal });
    const { drainDelay, drainTimeout } = this.settings;
    this.deadline = setTimeout(
      () => {
        this.verdict = 1;
        this.say('error', `${this.workers.size} workers do not end, and are killed`);
        for (const worker of this.workers.values()) worker.process.kill('SIGKILL');
      },
      Math.min(drainDelay + drainTimeout + exitGrace, 2 ** 31 - 1),
    );
  }

  private tell(order: Order): void {
    for (const worker of this.workers.values()) if (worker.isConnected()) worker.send(order);
  }

  private finish(code: number): void {
    clearTimeout(this.deadline);
    this.end(code);
  }

  private say(level: 'log' | 'error' | 'debug', message: string): void {
    this.logger[level](message, 'Supervisor');
  }
}
