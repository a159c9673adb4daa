import type { TlsOptions } from 'node:tls';
import type { KeyPair } from '../../config/key-pair.js';

/** Only suites with forward secrecy and authenticated encryption; whatever speaks TLS 1.2 to registries has one of them. */
const ciphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** All of what a server's TLS is made of: `setSecureContext` takes what it is not given for a default of Node. */
export function secureOptions({ cert, key }: KeyPair): TlsOptions {
  return { cert, key, ciphers, minVersion: 'TLSv1.2', honorCipherOrder: true };
}
