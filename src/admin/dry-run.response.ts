import type { FastifyReply } from 'fastify';
import { OciError } from '../oci/error.js';
import { start } from './json.response.js';
import { TextStream } from './text.stream.js';

/** Milliseconds between two empty lines, by which clients see that the storage is being read. */
const heartbeat = 15_000;

/** Whether the value of `?dry_run` asks for one. */
export function isAsked(dryRun: string | undefined): boolean {
  return dryRun !== undefined && dryRun !== 'false';
}

/** Reports what it finds, each as a line, and returns the last line. */
export type Search<Found> = (signal: AbortSignal, report: (found: Found) => Promise<void>) => Promise<object>;

/** A line of JSON for each thing that a dry run finds, while it runs: one at a time. */
export class DryRunResponse {
  private isRunning = false;

  /** @throws OciError UNAVAILABLE while another runs; errors of the search, after the connection was reset */
  async send<Found extends object>(reply: FastifyReply, search: Search<Found>): Promise<void> {
    if (this.isRunning) throw new OciError('UNAVAILABLE', 'a dry run is in progress', { retryAfter: 5 });
    this.isRunning = true;
    start(reply, 200, { 'content-type': 'application/x-ndjson' });
    const stream = new TextStream(reply);
    const timer = setInterval(() => void stream.write('\n').catch(() => undefined), heartbeat);
    try {
      const { signal } = stream;
      const end = await search(signal, (found) => stream.write(`${JSON.stringify(found)}\n`));
      await stream.write(`${JSON.stringify(end)}\n`);
      stream.end();
    } catch (error) {
      stream.break();
      if (!stream.signal.aborted) throw error;
    } finally {
      clearInterval(timer);
      this.isRunning = false;
    }
  }
}
