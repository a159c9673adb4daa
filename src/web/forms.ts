import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Readable } from 'node:stream';
import { OciError } from '../oci/error.js';

/** Bytes of a form. */
const longestForm = 64 * 1024;

/** Reads a form. How long it may take is limited as for every body. @throws OciError */
export async function readForm(request: Readable): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > longestForm) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    throw new OciError('REQUEST_INVALID', 'the form is incomplete', { cause });
  }
  if (size > longestForm) throw new OciError('SIZE_INVALID', `the form has more than ${longestForm} bytes`);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

const cookieName = 'oci-registry-form';

/**
 * Proves that a form came from a page of this server: its field has what only this server's pages know of the browser's cookie.
 * Beside it, requests of other origins are refused by their headers. Any replica can check it.
 */
export class FormToken {
  private readonly sent: string | undefined;
  private made: string | undefined;
  private isSecure = false;

  constructor(cookies: string | undefined) {
    const [, sent] = new RegExp(`(?:^|; )${cookieName}=([\\w-]{32})(?:;|$)`).exec(cookies ?? '') ?? [];
    this.sent = sent;
  }

  /** For the field `csrf`. */
  value(isSecure: boolean): string {
    if (this.sent !== undefined) return this.sent;
    this.isSecure = isSecure;
    return (this.made ??= randomBytes(24).toString('base64url'));
  }

  /** To be set, when a form has been made for a browser that has none. */
  get cookie(): string | undefined {
    if (this.made === undefined) return undefined;
    return `${cookieName}=${this.made}; Path=/_ui; HttpOnly; SameSite=Strict${this.isSecure ? '; Secure' : ''}`;
  }

  isIn(form: URLSearchParams): boolean {
    const [sent, field] = [this.sent, form.get('csrf')].map((text) => Buffer.from(text ?? ''));
    return (
      sent !== undefined &&
      field !== undefined &&
      sent.length === 32 &&
      field.length === 32 &&
      timingSafeEqual(sent, field)
    );
  }
}
