import cluster, { type Worker } from 'node:cluster';
import { randomBytes } from 'node:crypto';
import { shrinkHeap } from '../cli/heap.js';
import { clearSocketFile } from '../cli/socket-file.js';
import { supervisorVariable, workerVariable } from '../cli/worker-number.js';
import { parseListenAddress } from '../config/values/listen-address.js';
import type { ServerSettings } from '../config/server.settings.js';
import type { Settings } from '../config/settings.js';
import { JsonLogger } from '../observability/logging/json.logger.js';
import { logDestination } from '../observability/logging/log.destination.js';
import type { Reload } from './reload.js';
import { ReloadRounds } from './reload/reload.rounds.js';
import type { readyMessage, WorkerMessage, WorkerRequest } from './worker.messages.js';

/** Deaths of one worker within so many milliseconds after which the supervisor gives up. */
const maxDeaths = 5;
const deathWindow = 60_000;
/** Milliseconds before a worker restarts after its first death; each further death doubles them. */
const firstPause = 100;
/** Milliseconds for workers to exit, in addition to the drain settings. */
const exitGrace = 10_000;

/**
 * Runs `--workers` processes on one socket until SIGTERM or SIGINT, and restarts those that die.
 * @returns the exit code: 0; 1 if workers kept dying; that of the first worker if it cannot start, which logs why
 * @throws StartError if the socket file is something else
 */
export async function supervise({ server }: Settings, reload: Reload): Promise<number> {
  const address = parseListenAddress(server.listen);
  // Here, once: a worker would take the socket that its siblings share for another program's.
  if (address && 'path' in address) await clearSocketFile(address.path);
  // Round-robin would hand each connection to a worker, and one handed to a dying worker would hang for ever.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  const logger = new JsonLogger(server.logLevel, await logDestination(server));
  return new Supervisor(server, logger, reload).run();
}

class Supervisor {
  private readonly workers = new Map<number, Worker>();
  private readonly pauses = new Map<number, NodeJS.Timeout>();
  /** Recent deaths of each worker, on the monotonic clock. */
  private readonly deaths = new Map<number, readonly number[]>();
  private readonly rounds = new ReloadRounds();
  private hasStarted = false;
  /** The exit code, set as soon as the supervisor stops, and the signal that it passes on then. */
  private exitCode: number | undefined;
  private stopping: WorkerMessage | undefined;
  private deadline: NodeJS.Timeout | undefined;
  private end: (code: number) => void = () => undefined;
  /** Workers that advertise themselves on loopback only share leases with each other. */
  private readonly clusterKey: { readonly CLUSTER_KEY?: string };

  constructor(
    private readonly settings: ServerSettings,
    private readonly logger: JsonLogger,
    private readonly reload: Reload,
  ) {
    const { clusterKey, advertiseUrl } = settings;
    const isConfigured = clusterKey !== undefined || advertiseUrl !== undefined;
    this.clusterKey = isConfigured ? {} : { CLUSTER_KEY: randomBytes(32).toString('base64url') };
  }

  /** Starts the first worker alone, so that what keeps it from starting is logged once. */
  run(): Promise<number> {
    this.watchSignals();
    return new Promise((resolve) => {
      this.end = resolve;
      this.fork(1).once('listening', () => {
        this.hasStarted = true;
        shrinkHeap();
        if (this.exitCode !== undefined) return;
        this.report('log', `serving with ${this.settings.workers} workers`);
        for (let place = 2; place <= this.settings.workers; place += 1) this.fork(place);
      });
    });
  }

  private watchSignals(): void {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      // Workers exit with the supervisor.
      process.on(signal, () => (this.exitCode === undefined ? this.stop(signal, 0) : process.exit(1)));
    }
    this.reload.perform(() => {
      this.report('log', `SIGHUP: ${this.workers.size} workers read their files again`);
      this.send({ signal: 'SIGHUP' });
    });
  }

  private fork(place: number): Worker {
    const identity = { [workerVariable]: String(place), [supervisorVariable]: String(process.pid) };
    const worker = cluster.fork({ ...identity, ...this.clusterKey });
    this.workers.set(place, worker);
    // A message to a worker that has just died; its exit event covers it.
    worker.on('error', (error) => this.report('debug', `worker ${place}: ${error.message}`));
    // A worker that is starting gets the signal as soon as it can.
    worker.on('message', (message: WorkerRequest | typeof readyMessage) => {
      if (!('isReady' in message)) this.rounds.receive(message, worker, [...this.workers.values()]);
      else if (this.stopping && worker.isConnected()) worker.send(this.stopping);
    });
    worker.once('exit', (code: number | null, signal: string | null) => {
      this.workers.delete(place);
      this.rounds.leave(worker);
      this.exited(place, code, signal);
    });
    return worker;
  }

  private exited(place: number, code: number | null, signal: string | null): void {
    if (this.exitCode !== undefined) {
      if (this.workers.size === 0) this.finish(this.exitCode);
    } else if (!this.hasStarted) {
      this.exitCode = code ?? 1;
      this.finish(this.exitCode);
    } else {
      this.restart(place, signal ?? `exit code ${code}`);
    }
  }

  private restart(place: number, cause: string): void {
    const now = performance.now();
    const deaths = [...(this.deaths.get(place) ?? []), now].filter((at) => now - at < deathWindow);
    this.deaths.set(place, deaths);
    if (deaths.length >= maxDeaths) {
      this.report('error', `worker ${place} ended (${cause}) ${maxDeaths} times within a minute, giving up`);
      this.stop('SIGTERM', 1);
      return;
    }
    const pause = firstPause * 2 ** (deaths.length - 1);
    this.report('error', `worker ${place} ended (${cause}), restarting it in ${pause} ms`);
    const timer = setTimeout(() => {
      this.pauses.delete(place);
      this.fork(place);
    }, pause);
    this.pauses.set(place, timer);
  }

  private stop(signal: 'SIGTERM' | 'SIGINT', exitCode: number): void {
    this.exitCode = exitCode;
    for (const timer of this.pauses.values()) clearTimeout(timer);
    if (this.workers.size === 0) {
      this.finish(exitCode);
      return;
    }
    this.report('log', `${signal}: stopping ${this.workers.size} workers`);
    this.stopping = { signal };
    this.send(this.stopping);
    const { drainDelay, drainTimeout } = this.settings;
    this.deadline = setTimeout(
      () => {
        this.exitCode = 1;
        this.report('error', `${this.workers.size} workers do not exit and are killed`);
        for (const worker of this.workers.values()) worker.process.kill('SIGKILL');
      },
      Math.min(drainDelay + drainTimeout + exitGrace, 2 ** 31 - 1),
    );
  }

  private send(message: WorkerMessage): void {
    for (const worker of this.workers.values()) if (worker.isConnected()) worker.send(message);
  }

  private finish(code: number): void {
    clearTimeout(this.deadline);
    this.end(code);
  }

  private report(level: 'log' | 'error' | 'debug', message: string): void {
    this.logger[level](message, 'Supervisor');
  }
}
