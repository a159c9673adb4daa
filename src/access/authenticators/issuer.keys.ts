import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { X509Certificate } from 'node:crypto';
import https from 'node:https';
import tls from 'node:tls';

/** Milliseconds for which fetched keys count. */
const lifetime = 600_000;
/** Milliseconds between fetches for keys that were not there, so that tokens with made-up keys cost no requests. */
const cooldown = 30_000;
const timeout = 5_000;
const maxBytes = 256 * 1024;

/** The public keys of an issuer, from a file or fetched when a token needs them: an issuer that is down stops nobody else. */
export class IssuerKeys {
  private keys: JWTVerifyGetKey | undefined;
  private fetchedAt = -Infinity;
  private fetching: Promise<void> | undefined;

  /**
   * @param issuer its URL. @param now monotonic, in milliseconds.
   * @param fetchJson replaced in tests
   */
  constructor(
    private readonly issuer: string,
    private readonly now: () => number,
    private readonly fetchJson: (url: string) => Promise<unknown>,
  ) {}

  /** Verifies with the keys that are known, and once more with fetched ones when none of them fits. */
  async verify<T>(
    verify: (keys: JWTVerifyGetKey) => Promise<T>,
    isUnknownKey: (error: unknown) => boolean,
  ): Promise<T> {
    if (this.keys === undefined || this.now() - this.fetchedAt > lifetime) await this.fetch();
    try {
      return await verify(this.require());
    } catch (error) {
      if (!isUnknownKey(error) || this.now() - this.fetchedAt < cooldown) throw error;
      await this.fetch();
      return verify(this.require());
    }
  }

  private require(): JWTVerifyGetKey {
    if (!this.keys) throw new Error(`the keys of ${this.issuer} cannot be fetched`);
    return this.keys;
  }

  /** Keeps the keys that were there when it fails. */
  private fetch(): Promise<void> {
    this.fetching ??= this.fetchNow().finally(() => (this.fetching = undefined));
    return this.fetching;
  }

  private async fetchNow(): Promise<void> {
    if (this.now() - this.fetchedAt < cooldown && this.keys === undefined) return;
    this.fetchedAt = this.now();
    try {
      this.keys = createLocalJWKSet(await fetchKeys(this.issuer, this.fetchJson));
    } catch (error) {
      if (this.keys === undefined) throw error;
    }
  }
}

/** The keys that an issuer publishes (OpenID Connect Discovery §4). @throws Error that says what is wrong */
export async function fetchKeys(issuer: string, fetchJson: (url: string) => Promise<unknown>): Promise<JSONWebKeySet> {
  const document = await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  const { issuer: named, jwks_uri: url } = document as { issuer?: unknown; jwks_uri?: unknown };
  if (named !== issuer) throw new Error('its configuration names another issuer');
  if (typeof url !== 'string' || !url.startsWith('https://'))
    throw new Error('its configuration names no https jwks_uri');
  const set = (await fetchJson(url)) as Partial<JSONWebKeySet>;
  if (!Array.isArray(set.keys)) throw new Error('its jwks_uri sends no keys');
  return { keys: set.keys };
}

/** The keys of a file (a JWKS), for issuers that cannot be reached. @throws Error without the content */
export function parseKeys(text: string): JWTVerifyGetKey {
  try {
    return createLocalJWKSet(JSON.parse(text) as JSONWebKeySet);
  } catch {
    throw new Error('is not a JWKS');
  }
}

/** The certificates of a private CA and those that are trusted anyway. @throws Error without the content */
export function parseAuthorities(pem: string): string {
  try {
    new X509Certificate(pem);
  } catch {
    throw new Error('has no certificate in PEM');
  }
  return [...tls.rootCertificates, pem].join('\n');
}

/** GET of a JSON document over https with a deadline and a limit, without redirects. @param ca authorities in PEM */
export function fetchJsonOver(ca: () => string | undefined): (url: string) => Promise<unknown> {
  return async (url) => JSON.parse(await fetchText(url, ca())) as unknown;
}

function fetchText(url: string, ca: string | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = https.get(url, {
      timeout,
      signal: AbortSignal.timeout(timeout),
      ...(ca !== undefined && { ca }),
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('error', reject);
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > maxBytes) response.destroy(new Error(`${url} sends more than ${maxBytes} bytes`));
        else chunks.push(chunk);
      });
      response.on('end', () => {
        if (response.statusCode !== 200) reject(new Error(`${url} responds with ${response.statusCode}`));
        else resolve(Buffer.concat(chunks).toString('utf8'));
      });
    });
  });
}
