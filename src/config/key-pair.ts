import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import tls from 'node:tls';
import { ConfigurationError, type Problem } from './configuration-error.js';
import { readSettingFile } from './files/setting-file.js';

/** Paths of a certificate and its key. */
export interface KeyPairFiles {
  readonly tlsCert: string;
  readonly tlsKey: string;
}

/** A certificate chain and its private key, both PEM. The key is a secret: never print a `KeyPair`. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Undefined when the settings name no certificate. @throws ConfigurationError when only one of the two is set */
export function keyPairFiles(settings: { tlsCert?: string; tlsKey?: string }): KeyPairFiles | undefined {
  const { tlsCert, tlsKey } = settings;
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert !== undefined && tlsKey !== undefined) return { tlsCert, tlsKey };
  const [absent, given] = tlsCert === undefined ? ['--tls-cert', '--tls-key'] : ['--tls-key', '--tls-cert'];
  throw new ConfigurationError([{ path: absent, kind: 'missing', reason: `must be set together with ${given}` }]);
}

/** Reads both files without checking their content. @throws ConfigurationError when one cannot be read */
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
 * Checks that a server can use the pair now.
 * @param now milliseconds since 1970.
 * @returns when the certificate expires, in milliseconds since 1970.
 * @throws ConfigurationError with one problem, which never quotes file content.
 */
export function checkKeyPair({ cert, key }: KeyPair, now: number): number {
  const certificate = parse(() => new X509Certificate(cert), '--tls-cert', 'contains no PEM certificate');
  const secret = privateKeyOf(key);
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  if (!certificate.checkPrivateKey(secret)) refuse('--tls-cert', 'does not match the private key of --tls-key');
  if (now < from) refuse('--tls-cert', `is not valid before ${new Date(from).toISOString()}`);
  if (now > to) refuse('--tls-cert', `expired at ${new Date(to).toISOString()}`);
  // OpenSSL rejects broken chains and short keys only when they are used.
  parse(() => tls.createSecureContext({ cert, key }), '--tls-cert', 'is rejected by OpenSSL');
  return to;
}

function privateKeyOf(key: string): KeyObject {
  if (/ENCRYPTED/.test(key)) refuse('--tls-key', 'is encrypted: provide a key without a passphrase');
  return parse(() => createPrivateKey(key), '--tls-key', 'contains no PEM private key');
}

/** Replaces OpenSSL's messages, which name its functions and no remedy. */
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
