import type { TlsOptions } from 'node:tls';
import type { KeyPair } from '../../config/key-pair.js';

/** Only suites with forward secrecy and authenticated encryption; every registry client with TLS 1.2 supports one. */
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

/**
 * Complete, because `setSecureContext` resets every option that it is not given to Node's default.
 * @param clientAuthorities CAs of client certificates in PEM
 */
export function secureOptions({ cert, key }: KeyPair, clientAuthorities?: string): TlsOptions {
  const ca = clientAuthorities === undefined ? {} : { ca: clientAuthorities };
  return { cert, key, ...ca, ciphers, minVersion: 'TLSv1.2', honorCipherOrder: true };
}
