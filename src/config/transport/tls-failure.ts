/**
 * - untrusted: no trusted CA has signed the certificate
 * - self-signed: the certificate is signed by itself
 * - expired, not-yet-valid: by this machine's clock
 * - wrong-name: the certificate is for other host names
 * - plain: the server does not speak TLS
 * - cut: the server closed the connection during the handshake
 * - unusable: a certificate or a handshake that is refused for another reason
 */
export type TlsFailureKind =
  'untrusted' | 'self-signed' | 'expired' | 'not-yet-valid' | 'wrong-name' | 'plain' | 'cut' | 'unusable';

/** Why no TLS connection was established. */
export interface TlsFailure {
  readonly kind: TlsFailureKind;
  /** Code of Node.js or OpenSSL. */
  readonly code: string;
}

/** What an operator does about a failure, in the imperative. */
export interface TlsRemedies {
  /** Trusts a private CA or a self-signed certificate. */
  readonly trust: string;
  /** Turns TLS off. */
  readonly plain: string;
  /** Uses another name of the host. */
  readonly rename: string;
}

/** Error codes of Node.js, see "X509 certificate error codes" in its documentation of `tls`. */
const kinds: Readonly<Record<string, TlsFailureKind>> = {
  UNABLE_TO_GET_ISSUER_CERT: 'untrusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'untrusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'untrusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'untrusted',
  CERT_UNTRUSTED: 'untrusted',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'self-signed',
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'not-yet-valid',
  ERR_TLS_CERT_ALTNAME_INVALID: 'wrong-name',
  HOSTNAME_MISMATCH: 'wrong-name',
  CERT_REVOKED: 'unusable',
  CERT_REJECTED: 'unusable',
  CERT_SIGNATURE_FAILURE: 'unusable',
  CERT_CHAIN_TOO_LONG: 'unusable',
  INVALID_CA: 'unusable',
  INVALID_PURPOSE: 'unusable',
  PATH_LENGTH_EXCEEDED: 'unusable',
};

const reasons: Readonly<Record<TlsFailureKind, string>> = {
  untrusted: 'its certificate is signed by a CA that is not trusted here',
  'self-signed': 'its certificate is self-signed',
  expired: 'its certificate has expired',
  'not-yet-valid': 'its certificate is not valid yet',
  'wrong-name': 'its certificate is for another host name',
  plain: 'it does not speak TLS at this port',
  cut: 'it closed the connection during the TLS handshake',
  unusable: 'the TLS handshake failed',
};

/** What OpenSSL reports when the first bytes from the server are no TLS record. */
const noTls = /wrong version number|packet length too long|unknown protocol|http request/i;
/** What Node.js reports when the server closes the connection instead of responding to the handshake. */
const noHandshake = /before secure TLS connection was established/;

/** Undefined when the error is about something else. */
export function tlsFailureOf(error: unknown): TlsFailure | undefined {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
    const kind = Object.hasOwn(kinds, code) ? kinds[code] : undefined;
    if (kind !== undefined) return { kind, code };
    if (noHandshake.test(cause.message)) return { kind: 'cut', code };
    if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) {
      const isPlain = noTls.test(cause.message) || noTls.test(code.replaceAll('_', ' '));
      return { kind: isPlain ? 'plain' : 'unusable', code };
    }
  }
  return undefined;
}

/** What is wrong, as a clause about the server, without names and addresses. */
export function describeTlsFailure({ kind, code }: TlsFailure): string {
  return `${reasons[kind]} (${code})`;
}

/** What mends it; undefined when that depends on the server. */
export function remedyOf({ kind }: TlsFailure, { trust, plain, rename }: TlsRemedies): string | undefined {
  switch (kind) {
    case 'untrusted':
      return `for a private CA, ${trust}`;
    case 'self-signed':
      return `to trust it, ${trust}`;
    case 'expired':
      return 'renew it, or correct the clock of this machine';
    case 'not-yet-valid':
      return 'correct the clock of this machine, or replace it';
    case 'wrong-name':
      return rename;
    case 'plain':
    case 'cut':
      return `for plain http, ${plain}`;
    case 'unusable':
      return undefined;
  }
}

/** Both in one line; undefined when the error is about something else. */
export function explainTlsFailure(error: unknown, remedies: TlsRemedies): string | undefined {
  const failure = tlsFailureOf(error);
  if (!failure) return undefined;
  const remedy = remedyOf(failure, remedies);
  return `${describeTlsFailure(failure)}${remedy === undefined ? '' : `: ${remedy}`}`;
}

/** Whether a server that was sent plain http may expect TLS: it sends a TLS record (RFC 8446 §5.1), or hangs up. */
export function mayExpectTls(error: unknown): boolean {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if ('rawPacket' in cause && cause.rawPacket instanceof Uint8Array)
      return [0x15, 0x16].includes(cause.rawPacket[0] ?? 0);
    if ('code' in cause && (cause.code === 'ECONNRESET' || cause.code === 'EPIPE')) return true;
  }
  return false;
}
