import pino, { type DestinationStream } from 'pino';

/** Bytes of log lines that wait for a slow reader of standard output; further lines are dropped. */
const maxWaiting = 1024 * 1024;
/** Milliseconds between attempts to write them. */
const retryPause = 20;
/** The same after another error, such as that of a full disk. */
const errorPause = 1_000;
/** Milliseconds that the process waits for the reader at its end. */
const lastWait = 1_000;

/**
 * Standard output for log lines. A reader that is slow or has stopped never holds up the process: by default pino waits
 * for it inside the call that logs, for as long as it takes.
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
  stream.on('drop', () => (dropped += 1));
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
  process.once('exit', () => {
    waitUntil = performance.now() + lastWait;
    try {
      stream.flushSync();
    } catch {
      // The reader does not take the rest, and there is nowhere else to say so.
    }
  });
  return stream;
}
