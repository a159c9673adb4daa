import { X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import type { CertificateField, ClientCertificateSettings } from '../../config/access/certificate.settings.js';
import { watch } from '../files/reuse.js';
import type { FileContext, WatchedFile } from '../files/watched.file.js';

/** Root CAs of client certificates. */
export interface Authorities {
  readonly pem: string;
  readonly fingerprints: ReadonlySet<string>;
}

/** Whom a connection's certificate stands for. */
type Subject = { readonly subject: string; readonly expiresAt: number } | { readonly problem: string };

const maxLength = 512;

/** Tells from the certificate that a client has presented who it is. A header never counts for one. */
export class ClientCertificates {
  readonly file: WatchedFile<Authorities>;
  /** By connection, for the CAs that it was checked with. */
  private readonly checked = new WeakMap<
    TLSSocket,
    { readonly by: Authorities; readonly found: Subject | undefined }
  >();

  constructor(
    private readonly settings: ClientCertificateSettings,
    private readonly context: FileContext,
    previous: ClientCertificates | undefined,
  ) {
    const { caFile } = settings;
    const file = watch('client_ca', caFile, parseClientAuthorities, context, previous?.file);
    if (!file) throw new Error('client_certificates has no ca_file');
    this.file = file;
  }

  get authorities(): Authorities | undefined {
    return this.file.peek();
  }

  /** Undefined for a connection without a certificate; otherwise who it is, or why the certificate does not count. */
  subjectOf(socket: TLSSocket): { readonly subject: string } | { readonly problem: string } | undefined {
    const { authorities } = this;
    if (!authorities) return undefined;
    let known = this.checked.get(socket);
    // After a change of the CAs, connections that were made before have to pass, too.
    if (known?.by !== authorities) {
      known = { by: authorities, found: this.check(socket, authorities) };
      this.checked.set(socket, known);
    }
    const { found } = known;
    if (found && 'expiresAt' in found && this.context.clock.now() >= found.expiresAt)
      return { problem: 'CERT_HAS_EXPIRED' };
    return found;
  }

  private check(socket: TLSSocket, { fingerprints }: Authorities): Subject | undefined {
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) return undefined;
    // OpenSSL has checked chain, purpose and time during the handshake, with the CAs of that moment.
    const { authorizationError } = socket;
    if (!socket.authorized) return { problem: codeOf(authorizationError) };
    if (!fingerprints.has(rootOf(socket.getPeerCertificate(true)).fingerprint256)) return { problem: 'UNKNOWN_CA' };
    const subject = subjectOf(certificate, this.settings.identity);
    if (subject === undefined) return { problem: 'NO_IDENTITY' };
    return { subject, expiresAt: Date.parse(certificate.validTo) };
  }
}

/** @throws Error without the content */
function parseClientAuthorities(pem: string): Authorities {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error('has no certificate in PEM');
  const fingerprints = blocks.map((block) => {
    try {
      return new X509Certificate(block).fingerprint256;
    } catch {
      throw new Error('has a certificate that cannot be read');
    }
  });
  return { pem, fingerprints: new Set(fingerprints) };
}

/**
 * The end of the chain, with the CAs of the handshake. `X509Certificate.issuerCertificate` does not have it: it takes the
 * server's own certificate for an issuer of that name.
 */
function rootOf(certificate: DetailedPeerCertificate): DetailedPeerCertificate {
  let last = certificate;
  // A root is its own issuer; a certificate whose issuer is unknown has none.
  for (let depth = 0; depth < 10 && Object.hasOwn(last, 'issuerCertificate'); depth += 1) last = last.issuerCertificate;
  return last;
}

function subjectOf(certificate: X509Certificate, identity: string): string | undefined {
  const names = { ...fieldsOf(certificate.subjectAltName ?? ''), cn: commonNameOf(certificate.subject) };
  const parts = identity
    .split(/\{([a-z]+)\}/)
    .map((part, index) => (index % 2 === 0 ? part : names[part as CertificateField]));
  const subject = parts.join('');
  return parts.every((part) => part !== undefined) && subject.length <= maxLength ? subject : undefined;
}

/** Several names could be read in two ways, and an escaped one could hide a second: neither is a name. */
function commonNameOf(subject: string): string | undefined {
  const names = subject.split('\n').flatMap((line) => /^CN=(.+)$/.exec(line)?.[1] ?? []);
  return names.length === 1 && isPlain(names[0]) ? names[0] : undefined;
}

/** The first of each kind. Names that Node has to quote have characters that no identity needs. */
function fieldsOf(names: string): Partial<Record<CertificateField, string>> {
  const kinds: Partial<Record<string, CertificateField>> = { DNS: 'dns', email: 'email', URI: 'uri' };
  const found: Partial<Record<CertificateField, string>> = {};
  for (const name of names.split(', ')) {
    const colon = name.indexOf(':');
    const kind = kinds[name.slice(0, colon)];
    const value = name.slice(colon + 1);
    if (kind && isPlain(value)) found[kind] ??= value;
  }
  return found;
}

function isPlain(name: string | undefined): boolean {
  return name !== undefined && /^[^\u0000-\u001f\u007f"\\]+$/.test(name);
}

/** Node's types say Error, its documentation and its code a text. */
function codeOf(error: unknown): string {
  return typeof error === 'string' ? error : error instanceof Error && 'code' in error ? String(error.code) : 'INVALID';
}
