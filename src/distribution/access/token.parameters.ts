import type { FastifyRequest } from 'fastify';
import { OciError } from '../../oci/error.js';
import { bodyOf } from '../requests/incoming.bodies.js';

/** Largest form in bytes: a token of an issuer as the password, and scopes. */
const maxForm = 64 * 1024;

/** A request for a token, by GET or as a form. */
export interface TokenRequest {
  readonly scopes: readonly string[];
  /** Of a form; those of GET are in its Authorization header. */
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
}

/** The query of GET (Docker token specification). */
export function readTokenQuery({ originalUrl }: FastifyRequest): TokenRequest {
  const query = new URLSearchParams(originalUrl.split('?', 2)[1]);
  return { scopes: query.getAll('scope'), credentials: undefined };
}

/**
 * The form of POST (Docker OAuth 2 specification; RFC 6749 §4.3).
 * @throws OciError SIZE_INVALID; UNSUPPORTED with status 400 for other grants than a password, so that clients try GET
 */
export async function readTokenForm(request: FastifyRequest): Promise<TokenRequest> {
  const form = new URLSearchParams(await readForm(request));
  if (form.get('grant_type') !== 'password')
    throw new OciError('UNSUPPORTED', 'grant_type must be password: there are no refresh tokens', { status: 400 });
  const credentials = { username: form.get('username') ?? '', password: form.get('password') ?? '' };
  return { scopes: form.getAll('scope'), credentials };
}

async function readForm(request: FastifyRequest): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bodyOf(request)?.chunks() ?? []) {
    size += chunk.length;
    if (size > maxForm) throw new OciError('SIZE_INVALID');
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks).toString('utf8');
}
