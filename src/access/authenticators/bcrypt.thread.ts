import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';

/** Milliseconds without a password after which the thread ends. */
const idleTime = 60_000;

/** What the thread runs. Its packages are found from here, where they are installed; a bundle has no file for it. */
const source = `
const { parentPort, workerData } = require('node:worker_threads');
const { compareSync } = require(workerData);
try {
  // On Linux, of this thread alone: whoever guesses passwords must not take the processor from pulls.
  if (process.platform === 'linux') require('node:os').setPriority(0, 10);
} catch {
  // A sandbox may forbid it; then it runs as everything else does.
}
parentPort.on('message', ({ id, password, hash }) => {
  try {
    parentPort.postMessage({ id, isEqual: compareSync(password, hash) });
  } catch {
    parentPort.postMessage({ id, isEqual: false });
  }
});
`;

interface Answer {
  readonly id: number;
  readonly isEqual: boolean;
}

interface Question {
  readonly resolve: (isEqual: boolean) => void;
  readonly reject: (error: Error) => void;
}

/** Compares passwords with bcrypt hashes in a thread of its own, which is there only while there are passwords. */
export class BcryptThread {
  private worker: Worker | undefined;
  private readonly questions = new Map<number, Question>();
  private lastId = 0;
  private timer: NodeJS.Timeout | undefined;

  /** @throws Error when the thread ends before it has answered */
  verify(password: string, hash: string): Promise<boolean> {
    clearTimeout(this.timer);
    const worker = (this.worker ??= this.start());
    const id = (this.lastId += 1);
    return new Promise<boolean>((resolve, reject) => {
      this.questions.set(id, { resolve, reject });
      worker.ref();
      worker.postMessage({ id, password, hash });
    });
  }

  private start(): Worker {
    const worker = new Worker(source, {
      eval: true,
      workerData: createRequire(import.meta.url).resolve('bcryptjs'),
      // A hash needs some kilobytes.
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
    });
    worker.on('message', ({ id, isEqual }: Answer) => {
      this.questions.get(id)?.resolve(isEqual);
      this.questions.delete(id);
      if (this.questions.size === 0) this.rest(worker);
    });
    worker.on('error', (error: Error) => this.end(worker, error));
    worker.on('exit', () => this.end(worker, new Error('the thread for passwords has ended')));
    return worker;
  }

  /** An idle thread keeps no process alive. */
  private rest(worker: Worker): void {
    worker.unref();
    this.timer = setTimeout(() => void worker.terminate(), idleTime).unref();
  }

  private end(worker: Worker, error: Error): void {
    if (this.worker === worker) this.worker = undefined;
    for (const { reject } of this.questions.values()) reject(error);
    this.questions.clear();
  }
}
