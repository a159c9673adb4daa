import { X509Certificate } from 'node:crypto';
import { readJson, type JsonShape } from '../json/json.js';
import { isObject } from '../manifest.js';
import { listOf, sound, textOf } from '../manifests/shown-manifest.js';

/** Who a signature says it is of. Nothing here is verified: a page shows what is stored. */
export interface Signer {
  /** Subject of the certificate: an address, a URL, or a distinguished name. Undefined for a key without a certificate. */
  readonly identity: string | undefined;
  /** Who vouched for the identity when the certificate was issued. */
  readonly issuer: string | undefined;
  /** Milliseconds since 1970, as a transparency log or the signature says. */
  readonly signedAt: number | undefined;
  /** What the statement inside is about, as `https://slsa.dev/provenance/v1`. */
  readonly predicate?: string | undefined;
}

/** Longest certificate in characters. */
const maxCertificate = 32 * 1024;

const bundleEntry: JsonShape = { fields: { Payload: { fields: { integratedTime: 'value' } } } };
const logEntries: JsonShape = { items: { fields: { integratedTime: 'value' } }, max: 1 };
const certificateShape: JsonShape = { fields: { rawBytes: 'value' } };
const bundleShape: JsonShape = {
  fields: {
    verificationMaterial: {
      fields: {
        certificate: certificateShape,
        x509CertificateChain: { fields: { certificates: { items: certificateShape, max: 1 } } },
        tlogEntries: logEntries,
      },
    },
    dsseEnvelope: { fields: { payload: 'value' } },
  },
};
const statementShape: JsonShape = { fields: { predicateType: 'value' } };
const jwsShape: JsonShape = {
  fields: { protected: 'value', header: { fields: { x5c: { items: 'value', max: 1 } } } },
};
const protectedShape: JsonShape = { fields: { 'io.cncf.notary.signingTime': 'value' } };

/** From the annotations of a Cosign signature. @param pem the certificate, without it a key signed. @param bundle of the log */
export function cosignSigner(pem: string | undefined, bundle: string | undefined): Signer {
  const entry = bundle === undefined ? undefined : sound(() => readJson(Buffer.from(bundle), bundleEntry));
  const payload = isObject(entry) && isObject(entry.Payload) ? entry.Payload : {};
  return { ...identityOf(pem), signedAt: timeOf(payload.integratedTime) };
}

/** From a Sigstore bundle (`application/vnd.dev.sigstore.bundle.v0.3+json`). */
export function bundleSigner(bytes: Uint8Array): Signer | undefined {
  const document = sound(() => readJson(bytes, bundleShape));
  const material = isObject(document) ? document.verificationMaterial : undefined;
  if (!isObject(document) || !isObject(material)) return undefined;
  const chain = isObject(material.x509CertificateChain) ? material.x509CertificateChain : {};
  const leaf = [material.certificate, ...listOf(chain.certificates)].find(isObject);
  const [entry] = listOf(material.tlogEntries);
  const der =
    typeof leaf?.rawBytes === 'string' ? Buffer.from(leaf.rawBytes.slice(0, maxCertificate), 'base64') : undefined;
  const payload = isObject(document.dsseEnvelope) ? document.dsseEnvelope.payload : undefined;
  return {
    ...identityOf(der),
    signedAt: isObject(entry) ? timeOf(entry.integratedTime) : undefined,
    predicate: typeof payload === 'string' ? predicateOf(Buffer.from(payload, 'base64')) : undefined,
  };
}

/** From the envelope of a Notation signature in JSON (`application/jose+json`). */
export function notationSigner(bytes: Uint8Array): Signer | undefined {
  const document = sound(() => readJson(bytes, jwsShape));
  if (!isObject(document)) return undefined;
  const [leaf] = listOf(isObject(document.header) ? document.header.x5c : undefined);
  const text = typeof document.protected === 'string' ? document.protected : '';
  const attributes = sound(() => readJson(Buffer.from(text, 'base64url'), protectedShape));
  const time = isObject(attributes) ? attributes['io.cncf.notary.signingTime'] : undefined;
  const signedAt = typeof time === 'string' ? Date.parse(time) : NaN;
  const der = typeof leaf === 'string' ? Buffer.from(leaf.slice(0, maxCertificate), 'base64') : undefined;
  return { ...identityOf(der), signedAt: Number.isFinite(signedAt) ? signedAt : undefined };
}

/** What an in-toto statement is about. */
function predicateOf(statement: Uint8Array): string | undefined {
  const document = sound(() => readJson(statement, statementShape));
  return isObject(document) ? textOf(document.predicateType) : undefined;
}

function identityOf(encoded: string | Buffer | undefined): Pick<Signer, 'identity' | 'issuer'> {
  const unknown = { identity: undefined, issuer: undefined };
  if (encoded === undefined || encoded.length > maxCertificate) return unknown;
  try {
    const certificate = new X509Certificate(encoded);
    const name = certificate.subjectAltName?.split(', ')[0]?.replace(/^(?:email|URI|DNS|othername):/, '');
    const identity = name ?? certificate.subject.split('\n').join(', ');
    const issuer = issuerOf(certificate) ?? certificate.issuer.split('\n').join(', ');
    return { identity: textOf(identity), issuer: textOf(issuer) };
  } catch {
    // No certificate, or one without a name.
    return unknown;
  }
}

/** The issuer of the identity in Fulcio's extensions 1.3.6.1.4.1.57264.1.8, a UTF8String, or 1.1, bare text. */
function issuerOf({ raw }: X509Certificate): string | undefined {
  const [current, former] = [0x08, 0x01].map((last) => extensionOf(raw, last));
  if (current?.[0] === 0x0c && current[1] === current.length - 2) return current.toString('utf8', 2);
  return former?.toString('utf8');
}

function extensionOf(raw: Buffer, last: number): Buffer | undefined {
  const name = Buffer.from([0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xbf, 0x30, 0x01, last]);
  const at = raw.indexOf(name);
  if (at === -1) return undefined;
  const start = at + name.length;
  // Texts of 128 bytes and more have a longer header, and are no address of an issuer in use.
  const length = raw[start + 1] ?? 0x80;
  if (raw[start] !== 0x04 || length >= 0x80) return undefined;
  return raw.subarray(start + 2, start + 2 + length);
}

/** Seconds since 1970, as a number or as text. */
function timeOf(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && /^\d{1,12}$/.test(value) ? Number(value) : value;
  return typeof seconds === 'number' && seconds > 0 && seconds < 1e11 ? seconds * 1_000 : undefined;
}
