import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import type { Server } from 'node:tls';
import { ConfigurationError } from '../../config/configuration-error.js';
import { checkKeyPair, readKeyPair, type KeyPair, type KeyPairFiles } from '../../config/key-pair.js';
import { secureOptions } from './secure.options.js';

/** Milliseconds between checks of the files, for systems that report no change: network file systems, replaced folders. */
const lookInterval = 30_000;
/** Milliseconds between a change and the read; a pair that still does not match after it is an error. */
const settleTime = 1_000;

/**
 * Reloads the certificate and key when their files change. New connections use the new pair, open ones keep theirs. An
 * unusable pair is logged once, and the previous one stays in use.
 */
@Injectable()
export class CertificateService implements OnApplicationShutdown {
  private readonly logger = new Logger('Tls');
  private readonly watchers = new Map<string, FSWatcher>();
  private server: Server | undefined;
  private files: KeyPairFiles | undefined;
  private interval: NodeJS.Timeout | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** Fingerprints of the pair in use, of the last one that was used or rejected, and of one that did not match since. */
  private used = '';
  private pair: KeyPair | undefined;
  private clientAuthorities: string | undefined;
  private settled = '';
  private suspect = '';

  /** @param pair that the server started with. */
  watch(server: Server, files: KeyPairFiles, pair: KeyPair): void {
    this.server = server;
    this.files = files;
    this.pair = pair;
    this.used = this.settled = fingerprint(pair);
    this.watchFolders();
    this.interval = setInterval(() => {
      this.watchFolders();
      this.look();
    }, lookInterval).unref();
  }

  /** Reads the files now. @returns what came of it */
  look(): string {
    if (!this.files || !this.server) return 'there is no certificate to read again';
    let found = '';
    try {
      const pair = readKeyPair(this.files);
      found = fingerprint(pair);
      if (found === this.used) return this.keep(found);
      const until = checkKeyPair(pair, Date.now());
      this.server.setSecureContext(secureOptions(pair, this.clientAuthorities));
      this.pair = pair;
      this.keep(found);
      const validity = `valid until ${new Date(until).toISOString()}`;
      this.logger.log(`serving with a new certificate, ${validity}`);
      return `the certificate was read again and is new, ${validity}`;
    } catch (error) {
      const reason = error instanceof ConfigurationError ? error.message.replaceAll('\n', '; ') : 'OpenSSL rejects it';
      this.reportMismatch(found || reason, reason);
      return `the certificate was read again and cannot be used, the previous one stays: ${reason}`;
    }
  }

  /**
   * Asks clients for certificates of these CAs from the next connection on; nobody needs to have one. A new context also
   * ends the tickets with which clients would resume sessions that were checked with the CAs before.
   * @param pem undefined to ask for none
   */
  trustClients(pem: string | undefined): void {
    this.clientAuthorities = pem;
    if (!this.server || !this.pair) return;
    // Node has no call for it; both are read at each handshake.
    Object.assign(this.server, { requestCert: pem !== undefined, rejectUnauthorized: false });
    this.server.setSecureContext(secureOptions(this.pair, pem));
  }

  private keep(found: string): string {
    this.used = this.settled = found;
    this.suspect = '';
    return 'the certificate was read again and is unchanged';
  }

  onApplicationShutdown(): void {
    this.files = undefined;
    clearInterval(this.interval);
    clearTimeout(this.timer);
    for (const watcher of this.watchers.values()) watcher.close();
  }

  /** Between the writes of a certificate and its key they do not match; only a lasting mismatch is an error. */
  private reportMismatch(found: string, reason: string): void {
    if (found === this.settled) return;
    if (found !== this.suspect) {
      this.suspect = found;
      this.lookLater();
      return;
    }
    this.settled = found;
    this.logger.error(`the new certificate is not used, the previous one stays: ${reason}`);
  }

  private lookLater(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.look();
    }, settleTime).unref();
  }

  /**
   * The folders, not the files: files are replaced, not written to, and Kubernetes updates a mounted secret by renaming
   * a link beside it. The interval covers a folder that cannot be watched.
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
