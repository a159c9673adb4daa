import { Logger } from '@nestjs/common';
import { createWriteStream, type WriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { ConfigurationError } from '../config/configuration-error.js';
import type { FileContext } from './files/watched.file.js';
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

  private constructor(
    target: string | undefined,
    private readonly context: FileContext,
  ) {
    if (target === undefined) return;
    this.stream = target === 'stdout' ? process.stdout : createWriteStream(target, { flags: 'a', mode: 0o640 });
    this.stream.on('error', (error: Error) => this.logger.error(`the audit log cannot be written: ${error.message}`));
  }

  /**
   * @param target a path, or `stdout`; nothing is written without one
   * @throws ConfigurationError for a FIFO or a device: to open it could block a thread for ever
   */
  static async open(target: string | undefined, context: FileContext): Promise<AuditLog> {
    if (target !== undefined && target !== 'stdout' && !(await mayBeRegular(target))) {
      const reason = `${target} is not a regular file; the alternative is stdout`;
      throw new ConfigurationError([{ path: 'access.audit_log', kind: 'a file', reason }]);
    }
    return new AuditLog(target, context);
  }

  get isOn(): boolean {
    return this.stream !== undefined;
  }

  write({ request, address, signedIn, action, repository, reference, rule, refusal }: AuditEntry): void {
    if (!this.stream) return;
    if (this.stream.writableLength > maxWaiting) {
      if (this.dropped === 0) this.logger.error('the audit log is too slow: lines are dropped');
      this.dropped += 1;
      this.context.statistics.auditLinesDropped += 1;
      return;
    }
    const line = {
      audit: 'access',
      time: new Date(this.context.clock.now()).toISOString(),
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
    this.stream.write(`${JSON.stringify(line)}\n`, this.written);
  }

  /** After an error each line fails. */
  private readonly written = (error?: Error | null): void => {
    if (error) this.context.statistics.auditLinesDropped += 1;
  };

  /** Writes what waits. */
  close(): Promise<void> {
    const { stream } = this;
    if (!stream || stream === process.stdout) return Promise.resolve();
    return new Promise((resolve) => stream.end(resolve));
  }
}

/** A file that is not there yet will be; other errors are those of writing. */
function mayBeRegular(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isFile(),
    () => true,
  );
}
