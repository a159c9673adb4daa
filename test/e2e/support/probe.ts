import { Worker } from 'node:worker_threads';

const thread = `
const { parentPort, workerData } = require('node:worker_threads');
const http = require('node:http');
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const ask = () => new Promise((resolve, reject) => {
  const request = http.get(workerData, { agent: false, timeout: 30_000 }, (answer) => {
    answer.resume();
    answer.on('error', reject).on('end', () => answer.statusCode === 200 ? resolve() : reject(new Error('status ' + answer.statusCode)));
  });
  request.on('error', reject).on('timeout', () => request.destroy(new Error('no answer within 30 s')));
});
let isOver = false;
parentPort.once('message', () => { isOver = true; });
void (async () => {
  const times = [], late = [];
  while (!isOver) {
    let start = performance.now();
    await sleep(5);
    late.push(Math.max(0, performance.now() - start - 5));
    start = performance.now();
    await ask();
    times.push(performance.now() - start);
  }
  parentPort.postMessage({ times, late });
})();
`;

/** Delays in milliseconds that 99 of 100 did not exceed. */
export interface Delays {
  /** Of answers with status 200; any other answer, or none, is an error. */
  readonly p99: number;
  /** Of being woken while nothing was to be done: what the machine did to everybody at that time. */
  readonly control: number;
  readonly count: number;
}

/** Asks an ordinary question every 5 ms, in a thread of its own, so that what the test is busy with delays nothing here. */
export class Probe implements AsyncDisposable {
  private readonly worker: Worker;
  private readonly said: Promise<{ times: number[]; late: number[] }>;

  constructor(url: string) {
    this.worker = new Worker(thread, { eval: true, workerData: url });
    this.said = new Promise((resolve, reject) => this.worker.once('message', resolve).once('error', reject));
    // Told by end().
    this.said.catch(() => undefined);
  }

  /** @throws what an answer was other than 200 */
  async end(): Promise<Delays> {
    this.worker.postMessage('end');
    const { times, late } = await this.said;
    return { p99: p99(times), control: p99(late), count: times.length };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.worker.terminate();
  }
}

function p99(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length * 0.99)]!;
}
