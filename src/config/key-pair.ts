import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { ConfigurationError, type Problem } from './configuration-error.js';
import { readSettingFile } from './upstream-file.js';

/** Where a certificate and its key are. */
export interface KeyPairFiles {
  readonly tlsCert: string;
  readonly tlsKey: string;
}

/** A certificate with those that it was issued by, and its key, as PEM. The key is a secret: never print one of these. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Undefined when the settings name no certificate. @throws ConfigurationError when they name only half of a pair */
export function keyPairFiles(settings: { tlsCert?: string; tlsKey?: string }): KeyPairFiles | undefined {
  const { tlsCert, tlsKey } = settings;
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert !== undefined && tlsKey !== undefined) return { tlsCert, tlsKey };
  const [absent, given] = tlsCert === undefined ? ['--tls-cert', '--tls-key'] : ['--tls-key', '--tls-cert'];
  throw new ConfigurationError([{ path: absent, kind: 'missing', reason: `has to be given together with ${given}` }]);
}

/** What the files hold, whatever it is. @throws ConfigurationError when one of them cannot be read */
export function readKeyPair({ tlsCert, tlsKey }: KeyPairFiles): KeyPair {
  const problems: Problem[] = [];
  const read = (file: string, setting: string): string => {
    try {
      return readSettingFile(file, setting);
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      problems.push(...error.problems);
      return '';
    }
  };
  const pair = { cert: read(tlsCert, '--tls-cert'), key: read(tlsKey, '--tls-key') };
  if (problems.length > 0) throw new ConfigurationError(problems);
  return pair;
}

/**
 * Checks that a server can be run with a pair at this moment.
 * @param now milliseconds since 1970.
 * @returns until when, in the same milliseconds.
 * @throws ConfigurationError with one problem, which never quotes a file.
 */
export function checkKeyPair({ cert, key }: KeyPair, now: number): number {
  const certificate = parse(() => new X509Certificate(cert), '--tls-cert', 'holds no certificate in PEM');
  const secret = privateKeyOf(key);
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  if (!certificate.checkPrivateKey(secret)) refuse('--tls-cert', 'does not belong to the key of --tls-key');
  if (now < from) refuse('--tls-cert', `is not valid before ${new Date(from).toISOString()}`);
  if (now > to) refuse('--tls-cert', `has expired at ${new Date(to).toISOString()}`);
  // What OpenSSL has against the chain or a key that is too short is only found by using them.
  parse(() => createSecureContext({ cert, key }), '--tls-cert', 'cannot be served with');
  return to;
}

function privateKeyOf(key: string): KeyObject {
  if (/ENCRYPTED/.test(key)) refuse('--tls-key', 'is encrypted: a key without a passphrase is needed');
  return parse(() => createPrivateKey(key), '--tls-key', 'holds no private key in PEM');
}

/** OpenSSL's own words name functions of its source and no remedy, so ours stand instead. */
function parse<T>(read: () => T, path: string, reason: string): T {
  try {
    return read();
  } catch {
    return refuse(path, reason);
  }
}

function refuse(path: string, reason: string): never {
  throw new ConfigurationError([{ path, kind: 'a file', reason }]);
}
