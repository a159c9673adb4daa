import { CredentialError } from './credential.source.js';

/**
 * Ends a wait at a deadline, whether or not what is waited for heeds the signal.
 * @param time in milliseconds. @throws CredentialError at the deadline
 */
export async function within<T>(time: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const aborter = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new CredentialError(`did not respond within ${time / 1000} s`);
      reject(error);
      aborter.abort(error);
    }, time);
  });
  return Promise.race([run(aborter.signal), late]).finally(() => clearTimeout(timer));
}
