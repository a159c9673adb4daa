import { Logger } from '@nestjs/common';
import { createWriteStream, type WriteStream } from 'node:fs';
import type { SignedIn } from './sign-in.js';

/** Bytes of lines that wait for the file; more are dropped, and counted. */
const maxWaiting = 1024 * 1024;

/** One decision. It has no header, form or token. */
export interface AuditEntry {
  /** Of the request, as in its log line. */
  readonly request: string;
  readonly address: string;
  /** Undefined when the credentials were refused. */
  readonly signedIn?: SignedIn;
  readonly action: string;
  readonly repository?: string;
  /** Tag, digest or upload. */
  readonly reference?: string;
  /** Number of the rule that allows it, from 0 as in the access file; undefined when it is denied. */
  readonly rule?: number;
  /** Why it was refused. */
  readonly refusal?: string;
}

/** Who did what, who was refused, and by which rule: a JSON line each, in a stream of its own. */
export class AuditLog {
  private readonly logger = new Logger('Audit');
  private readonly stream: WriteStream | NodeJS.WriteStream | undefined;
  private dropped = 0;

  /** @param target a path, or `stdout`; nothing is written without one */
  constructor(
    target: string | undefined,
    private readonly now: () => number,
  ) {
    if (target === undefined) return;
    this.stream = target === 'stdout' ? process.stdout : createWriteStream(target, { flags: 'a', mode: 0o640 });
    this.stream.on('error', (error: Error) => this.logger.error(`the audit log cannot be written: ${error.message}`));
  }

  get isOn(): boolean {
    return this.stream !== undefined;
  }

  write({ request, address, signedIn, action, repository, reference, rule, refusal }: AuditEntry): void {
    if (!this.stream) return;
    if (this.stream.writableLength > maxWaiting) {
      if (this.dropped === 0) this.logger.error('the audit log is too slow: lines are dropped');
      this.dropped += 1;
      return;
    }
    const line = {
      audit: 'access',
      time: new Date(this.now()).toISOString(),
      request,
      address,
      subject: signedIn?.identity.subject,
      issuer: signedIn?.issuer,
      token: signedIn?.tokenId,
      action,
      repository,
      reference,
      allowed: refusal === undefined,
      rule,
      refusal,
      ...(this.dropped > 0 && { dropped: this.dropped }),
    };
    this.dropped = 0;
    this.stream.write(`${JSON.stringify(line)}\n`);
  }

  /** Writes what waits. */
  close(): Promise<void> {
    const { stream } = this;
    if (!stream || stream === process.stdout) return Promise.resolve();
    return new Promise((resolve) => stream.end(resolve));
  }
}
