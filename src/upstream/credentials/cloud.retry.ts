import { setTimeout as sleep } from 'node:timers/promises';
import { CloudError, type CloudResponse } from './cloud.client.js';

/** Milliseconds before the second and the third attempt, at most. */
const pauses = [200, 1_000];

/**
 * Sends a request up to three times, while the failure may pass: no response, throttling, an error of the service.
 * @param send one attempt. @param isThrottled whether a response other than 429 asks to be slower
 * @returns the last response, whatever its status. @throws CloudError of the last attempt
 */
export async function retrying(
  send: () => Promise<CloudResponse>,
  signal: AbortSignal,
  isThrottled: (response: CloudResponse) => boolean = () => false,
): Promise<CloudResponse> {
  for (const pause of pauses) {
    const response = await attempt(send, signal);
    const { status } = response ?? { status: 503 };
    if (response && status < 500 && status !== 429 && !isThrottled(response)) return response;
    // Other replicas were throttled at the same moment.
    await sleep(pause * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
    if (signal.aborted && response) return response;
  }
  return send();
}

/** Undefined when it failed and may be tried again. */
async function attempt(send: () => Promise<CloudResponse>, signal: AbortSignal): Promise<CloudResponse | undefined> {
  try {
    return await send();
  } catch (error) {
    // After a timeout there is no time left for another attempt.
    if (!(error instanceof CloudError) || !error.mayPass || signal.aborted) throw error;
    return undefined;
  }
}
