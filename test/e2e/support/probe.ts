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
const spin = () => {
  const start = performance.now();
  for (let x = 0; x < 2e6; x += 1) Math.imul(x, x);
  return performance.now() - start;
};
const undisturbed = Math.min(...Array.from({ length: 30 }, spin));
let isOver = false;
parentPort.once('message', () => { isOver = true; });
void (async () => {
  const times = [], slow = [];
  while (!isOver) {
    await sleep(5);
    slow.push(spin() / undisturbed);
    const start = performance.now();
    await ask();
    times.push(performance.now() - start);
  }
  parentPort.postMessage({ times, slow });
})();
`;

/** Delays in milliseconds that 99 of 100 did not exceed. */
export interface Delays {
  /** Of answers with status 200; any other answer, or none, is an error. */
  readonly p99: number;
  /** How many times longer than undisturbed a little work took that needs nothing but a processor, nine times of ten. */
  readonly slowdown: number;
  readonly count: number;
}

/** Asks an ordinary question every 5 ms, in a thread of its own, so that what the test is busy with delays nothing here. */
export class Probe implements AsyncDisposable {
  private readonly worker: Worker;
  private readonly said: Promise<{ times: number[]; slow: number[] }>;

  constructor(url: string) {
    this.worker = new Worker(thread, { eval: true, workerData: url });
    this.said = new Promise((resolve, reject) => this.worker.once('message', resolve).once('error', reject));
    // Told by end().
    this.said.catch(() => undefined);
  }

  /** @throws what an answer was other than 200 */
  async end(): Promise<Delays> {
    this.worker.postMessage('end');
    const { times, slow } = await this.said;
    return { p99: at(0.99, times), slowdown: at(0.9, slow), count: times.length };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.worker.terminate();
  }
}

function at(share: number, values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length * share)]!;
}
