import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { Semaphore } from '../../../config/concurrency/semaphore.js';
import { untilAborted } from './until.aborted.js';

/** Bytes that a program may write. */
export const maxOutput = 64 * 1024;
/** Milliseconds that a program may take, the wait for its turn included. */
export const timeLimit = 30_000;
/** Milliseconds to wait for the end of the output after the program has ended. */
const outputGrace = 2_000;
/** Programs that run at the same time in a process. */
const turns = new Semaphore(4);

/** How a program ended. */
export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

/** Why a program has no usable end: it could not be started, took too long, or wrote too much. */
export class ProgramError extends Error {
  override readonly name = 'ProgramError';

  constructor(
    readonly reason: 'not-started' | 'late' | 'too-long',
    /** Why it could not be started. */
    readonly code?: string,
  ) {
    super(reason);
  }
}

/**
 * Runs `PROGRAM get` with an input, without a shell, in the environment of this process. It and what it has started are
 * killed when it has ended, takes too long, writes too much, or the signal says so.
 * @throws ProgramError
 */
export async function runProgram(
  program: string,
  input: string,
  signal: AbortSignal,
  limit = timeLimit,
): Promise<Ended> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(limit)]);
  const run = turns.run(async () => {
    if (limited.aborted) throw new ProgramError('late');
    return await runOnce(program, input, limited);
  });
  return await untilAborted(run, limited, () => new ProgramError('late'));
}

async function runOnce(program: string, input: string, signal: AbortSignal): Promise<Ended> {
  const child = start(program);
  const chunks: Buffer[] = [];
  try {
    // A program that does not read its input has its own reasons: how it ends says what came of it.
    child.stdin?.on('error', () => undefined).end(input);
    const read = readBounded(child.stdout, chunks);
    const ended = onceEnded(child, signal);
    const [code, by] = await Promise.race([ended, read.then(() => ended)]);
    // What it has started may keep the output open.
    killGroup(child);
    await atMost(outputGrace, read);
    return { code, signal: by, output: Buffer.concat(chunks).toString('utf8') };
  } finally {
    killGroup(child);
    child.stdout?.destroy();
    child.stdin?.destroy();
  }
}

/** In a process group of its own, which can be killed as a whole. */
function start(program: string): ChildProcess {
  try {
    return spawn(program, ['get'], { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
  } catch (error) {
    throw notStarted(error);
  }
}

async function onceEnded(child: ChildProcess, signal: AbortSignal): Promise<[number | null, NodeJS.Signals | null]> {
  try {
    return (await once(child, 'exit', { signal })) as [number | null, NodeJS.Signals | null];
  } catch (error) {
    throw signal.aborted ? new ProgramError('late') : notStarted(error);
  }
}

function notStarted(error: unknown): ProgramError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  return new ProgramError('not-started', code);
}

async function readBounded(stream: Readable | null, chunks: Buffer[]): Promise<void> {
  let size = 0;
  for await (const chunk of (stream ?? []) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxOutput) throw new ProgramError('too-long');
    chunks.push(chunk);
  }
}

/** Waits for work, but no longer than a time in milliseconds. */
function atMost(time: number, work: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    // A process that was held up has not read yet what is there.
    const timer = setTimeout(() => setImmediate(resolve), time);
    void work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing of it is left.
  }
}
