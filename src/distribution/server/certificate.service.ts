import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import type { Server } from 'node:tls';
import { ConfigurationError } from '../../config/configuration-error.js';
import { checkKeyPair, readKeyPair, type KeyPair, type KeyPairFiles } from '../../config/key-pair.js';
import { secureOptions } from './secure.options.js';

/** Milliseconds between looks at the files where the system tells of no change: network file systems, replaced folders. */
const lookInterval = 30_000;
/** Milliseconds after a change before the files are read, and after which a pair that is still wrong is called wrong. */
const settleTime = 1_000;

/**
 * Takes up the certificate and key that the files have after a change, for new connections; those that there are keep
 * theirs. A pair that cannot be served with is told once, and the one before stays.
 */
@Injectable()
export class CertificateService implements OnApplicationShutdown {
  private readonly logger = new Logger('Tls');
  private readonly watchers = new Map<string, FSWatcher>();
  private server: Server | undefined;
  private files: KeyPairFiles | undefined;
  private interval: NodeJS.Timeout | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** What was found when something was last made of it, and what was found wrong since. */
  private settled = '';
  private suspect = '';

  /** @param pair what the server was started with. */
  watch(server: Server, files: KeyPairFiles, pair: KeyPair): void {
    this.server = server;
    this.files = files;
    this.settled = fingerprint(pair);
    this.watchFolders();
    this.interval = setInterval(() => {
      this.watchFolders();
      this.look();
    }, lookInterval).unref();
  }

  /** Reads the files now. Does nothing without any. */
  look(): void {
    if (!this.files || !this.server) return;
    let found = '';
    try {
      const pair = readKeyPair(this.files);
      found = fingerprint(pair);
      if (found === this.settled) return;
      const until = checkKeyPair(pair, Date.now());
      this.server.setSecureContext(secureOptions(pair));
      this.settled = found;
      this.suspect = '';
      this.logger.log(`serving with a new certificate, valid until ${new Date(until).toISOString()}`);
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      this.reportMismatch(found || error.message, error);
    }
  }

  onApplicationShutdown(): void {
    this.files = undefined;
    clearInterval(this.interval);
    clearTimeout(this.timer);
    for (const watcher of this.watchers.values()) watcher.close();
  }

  /** Between the writes of a certificate and its key they do not fit; only what stays wrong is an error. */
  private reportMismatch(found: string, error: ConfigurationError): void {
    if (found === this.settled) return;
    if (found !== this.suspect) {
      this.suspect = found;
      this.lookLater();
      return;
    }
    this.settled = found;
    this.logger.error(`the new certificate is not used, the one before stays: ${error.message.replaceAll('\n', '; ')}`);
  }

  private lookLater(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.look();
    }, settleTime).unref();
  }

  /**
   * The folders, not the files: those are replaced, not written to, and a mounted secret of Kubernetes by renaming a
   * link beside them. A folder that cannot be watched, or not any more, is left to the interval.
   */
  private watchFolders(): void {
    const { tlsCert, tlsKey } = this.files ?? {};
    for (const file of [tlsCert, tlsKey]) {
      if (file === undefined || this.watchers.has(dirname(file))) continue;
      const folder = dirname(file);
      try {
        const watcher = watch(folder, { persistent: false }, () => this.lookLater());
        this.watchers.set(folder, watcher);
        watcher.on('error', () => this.unwatch(folder));
      } catch (error) {
        this.logger.debug(`${folder} cannot be watched: ${String(error)}`);
      }
    }
  }

  private unwatch(folder: string): void {
    this.watchers.get(folder)?.close();
    this.watchers.delete(folder);
  }
}

function fingerprint({ cert, key }: KeyPair): string {
  return createHash('sha256').update(`${cert}\0${key}`).digest('hex');
}
