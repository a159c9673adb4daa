import { isIP } from 'node:net';
import { CredentialError } from '../credential.source.js';
import { readCredentialFile } from './cloud.files.js';

/** The JSON object of a credentials file, or one within it. Messages name the file and the field, never a value. */
export class GoogleFile {
  private constructor(
    readonly path: string,
    private readonly values: Readonly<Record<string, unknown>>,
    private readonly prefix: string,
  ) {}

  /** @throws CredentialError */
  static async read(path: string): Promise<GoogleFile> {
    const text = await readCredentialFile(path, 'the credentials file');
    let values: unknown;
    try {
      values = JSON.parse(text);
    } catch {
      // The parser's message quotes the file.
    }
    if (isObject(values)) return new GoogleFile(path, values, '');
    throw new CredentialError(`the credentials file ${path} is no JSON object`);
  }

  /** @throws CredentialError when it is there and not text */
  find(name: string): string | undefined {
    const value = this.values[name] ?? undefined;
    if (value === undefined || (typeof value === 'string' && value !== '')) return value;
    throw new CredentialError(`${this.prefix}${name} of ${this.path} must be text`);
  }

  /** @throws CredentialError when it is absent or not text */
  get(name: string): string {
    const value = this.find(name);
    if (value !== undefined) return value;
    throw new CredentialError(`${this.prefix}${name} is missing in ${this.path}`);
  }

  /** A name that messages show. @throws CredentialError as above, or when it could not be shown */
  label(name: string): string {
    const value = this.get(name);
    if (/^[\x20-\x7e]{1,512}$/.test(value)) return value;
    throw new CredentialError(`${this.prefix}${name} of ${this.path} must be short text in one line`);
  }

  has(name: string): boolean {
    return (this.values[name] ?? undefined) !== undefined;
  }

  /** An object in it, an empty one when it is absent. @throws CredentialError when it is something else */
  object(name: string): GoogleFile {
    const value = this.values[name] ?? {};
    if (isObject(value)) return new GoogleFile(this.path, value, `${this.prefix}${name}.`);
    throw new CredentialError(`${this.prefix}${name} of ${this.path} must be an object`);
  }

  /** All fields, which must be text. @throws CredentialError */
  texts(): Record<string, string> {
    return Object.fromEntries(Object.keys(this.values).map((name) => [name, this.get(name)]));
  }

  /**
   * A URL that secrets are sent to.
   * @param trusted further hosts, also over http. @throws CredentialError unless it is one of Google's or a trusted one
   */
  endpoint(name: string, preset: string | undefined, trusted: readonly string[]): URL {
    const url = this.url(name, preset);
    const isGoogle = url.hostname.endsWith('.googleapis.com') || url.hostname === 'accounts.google.com';
    if (trusted.includes(url.host) || (isGoogle && url.protocol === 'https:' && url.port === '')) return url;
    throw new CredentialError(
      `${this.prefix}${name} of ${this.path} names ${url.origin}, which is no https URL of Google: add its host to token_hosts if it is right`,
    );
  }

  /** A URL that a token comes from: http only from this machine and its metadata service. @throws CredentialError */
  tokenSource(name: string, trusted: readonly string[]): { readonly url: URL; readonly isMetadata: boolean } {
    const url = this.url(name, undefined);
    const isMetadata = isNear(url.hostname);
    if (isMetadata || url.protocol === 'https:' || trusted.includes(url.host)) return { url, isMetadata };
    throw new CredentialError(`${this.prefix}${name} of ${this.path} must be an https URL`);
  }

  private url(name: string, preset: string | undefined): URL {
    const text = preset === undefined ? this.get(name) : (this.find(name) ?? preset);
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '') return url;
    throw new CredentialError(`${this.prefix}${name} of ${this.path} must be an http or https URL without credentials`);
  }
}

/** Whether it is a loopback or link-local address, where metadata services are. */
function isNear(hostname: string): boolean {
  const address = hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(address) === 6) return address === '::1' || address === 'fd00:ec2::254' || /^fe[89ab]/.test(address);
  return address === 'localhost' || (isIP(address) === 4 && /^(127|169\.254)\./.test(address));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
