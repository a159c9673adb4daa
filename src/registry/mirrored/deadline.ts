import { OciError } from '../../oci/error.js';

/** Milliseconds until the response headers are sent (P4): clients give up after 30 s. */
export const responseDeadline = 25_000;

/**
 * Waits for the value until the deadline. The operation itself continues after that.
 * @throws OciError TIMEOUT
 */
export async function within<T>(value: Promise<T>, deadline = responseDeadline): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new OciError('TIMEOUT')), deadline);
  });
  try {
    return await Promise.race([value, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Milliseconds to wait for the upstream when a stale response is available (P6: 2 s). */
const patience = 1_800;

/** The value, or undefined when it takes longer than a caller with a stale response waits. */
export async function inTime<T>(value: Promise<T>): Promise<T | undefined> {
  try {
    return await within(value, patience);
  } catch (error) {
    if (error instanceof OciError && error.code === 'TIMEOUT') return undefined;
    throw error;
  }
}
