import type { IncomingMessage } from 'node:http';
import { OciError } from '../../oci/error.js';
import { parseImageReference, type ImageReference, type ImageRules } from '../../oci/image-reference.js';
import { parsePlatform, type Platform } from '../../oci/platform.js';

/** Bytes of a request body. */
const maxBody = 1024 * 1024;
const maxImages = 1_000;
const maxPlatforms = 32;

/** An image as the request names it, and its reference or why it has none. */
export interface WarmImage {
  readonly text: string;
  readonly image: ImageReference | OciError;
}

export interface WarmRequest {
  readonly images: readonly WarmImage[];
  /** Empty means every platform of an index. */
  readonly platforms: readonly Platform[];
}

/**
 * Reads the body. A malformed image does not stop the others.
 * @throws OciError REQUEST_INVALID if the document is malformed, SIZE_INVALID if it is longer than 1 MiB or lists more
 * than 1,000 images.
 */
export async function readWarmRequest(request: IncomingMessage, rules: ImageRules): Promise<WarmRequest> {
  const { images, platforms = [] } = parseObject(await readBody(request));
  if (!areTexts(images) || images.length === 0) throw invalid('images must be a list of image references');
  if (images.length > maxImages) throw new OciError('SIZE_INVALID', `more than ${maxImages} images`);
  if (!areTexts(platforms) || platforms.length > maxPlatforms) throw invalid('platforms must be a list of os/arch');
  return { images: images.map((text) => read(text, rules)), platforms: platforms.map(readPlatform) };
}

function read(text: string, rules: ImageRules): WarmImage {
  try {
    return { text, image: parseImageReference(text, rules) };
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    return { text: text.slice(0, 256), image: error };
  }
}

function readPlatform(text: string): Platform {
  const platform = parsePlatform(text);
  if (!platform) throw invalid('a platform must be os/architecture or os/architecture/variant');
  return platform;
}

/** The server's request timeout bounds it. */
async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBody) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    throw new OciError('REQUEST_INVALID', 'the body is incomplete', { cause });
  }
  if (size > maxBody) throw new OciError('SIZE_INVALID', `the body has more than ${maxBody} bytes`);
  return Buffer.concat(chunks).toString('utf8');
}

function parseObject(text: string): Record<string, unknown> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw invalid('the body is not JSON');
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw invalid('the body is not a JSON object');
  }
  return document as Record<string, unknown>;
}

function areTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function invalid(message: string): OciError {
  return new OciError('REQUEST_INVALID', message);
}
