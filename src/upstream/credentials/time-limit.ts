import { CredentialError } from './credential.source.js';

/**
 * Ends a wait at a deadline, whether or not what is waited for heeds the signal.
 * @param time in milliseconds. @param stop ends it before. @throws CredentialError at the deadline, or when stopped
 */
export async function within<T>(
  time: number,
  run: (signal: AbortSignal) => Promise<T>,
  stop?: AbortSignal,
): Promise<T> {
  const aborter = new AbortController();
  let reject: (error: CredentialError) => void = () => undefined;
  const ended = new Promise<never>((_, refuse) => (reject = refuse));
  const end = (message: string) => {
    const error = new CredentialError(message);
    reject(error);
    aborter.abort(error);
  };
  const timer = setTimeout(() => end(`did not respond within ${time / 1000} s`), time);
  const stopped = () => end('was stopped');
  stop?.addEventListener('abort', stopped, { once: true });
  if (stop?.aborted === true) stopped();
  return Promise.race([run(aborter.signal), ended]).finally(() => {
    clearTimeout(timer);
    stop?.removeEventListener('abort', stopped);
  });
}
