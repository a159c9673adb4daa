import pino, { type DestinationStream } from 'pino';

/** Bytes of log lines that wait for a slow reader of standard output; further lines are dropped. */
const maxWaiting = 1024 * 1024;
/** Bytes of lines of level info that wait for the end of this turn of the event loop, to be written together. */
const batch = 16 * 1024;
const infoLine = '{"level":30,';
/** Milliseconds between attempts to write them. */
const retryPause = 20;
/** The same after another error, such as that of a full disk. */
const errorPause = 1_000;
/** Milliseconds that the process waits for the reader at its end. */
const lastWait = 1_000;

/**
 * Standard output for log lines. A reader that is slow or has stopped never holds up the process: by default pino waits
 * for it inside the call that logs, for as long as it takes. A process that is killed loses one batch at most; one that
 * exits writes everything.
 */
export function standardOutput(): DestinationStream {
  let waitUntil = 0;
  const stream = pino.destination({
    dest: 1,
    sync: true,
    maxLength: maxWaiting,
    retryEAGAIN: () => performance.now() < waitUntil,
  });
  let retry: NodeJS.Timeout | undefined;
  let dropped = 0;
  const writeWaiting = () => {
    retry = undefined;
    // An empty line makes the stream go on with those that wait.
    stream.write('');
  };
  stream.on('drop', (lines: string) => (dropped += lines.split('\n').length - 1));
  stream.on('drain', () => {
    if (dropped === 0 || retry) return;
    const msg = `${dropped} log lines were dropped, because the reader of standard output is slow`;
    dropped = 0;
    stream.write(`${JSON.stringify({ level: 40, time: new Date().toISOString(), context: 'Log', msg })}\n`);
  });
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // The reader is gone for good.
    if (error.code === 'EPIPE') stream.write = () => true;
    else retry ??= setTimeout(writeWaiting, error.code === 'EAGAIN' ? retryPause : errorPause).unref();
  });
  const batched = inBatches((lines) => stream.write(lines));
  process.once('exit', () => {
    batched.flush();
    waitUntil = performance.now() + lastWait;
    try {
      stream.flushSync();
    } catch {
      // The reader does not take the rest, and there is nowhere else to say so.
    }
  });
  return batched;
}

/** Writes lines of level info together at the end of a turn, and others at once, with those before them. */
function inBatches(write: (lines: string) => void): DestinationStream & { flush(): void } {
  let waiting = '';
  let turn: NodeJS.Immediate | undefined;
  const flush = () => {
    clearImmediate(turn);
    turn = undefined;
    const lines = waiting;
    waiting = '';
    if (lines !== '') write(lines);
  };
  return {
    flush,
    write(line) {
      waiting += line;
      if (waiting.length >= batch || !line.startsWith(infoLine)) flush();
      else turn ??= setImmediate(flush);
    },
  };
}
