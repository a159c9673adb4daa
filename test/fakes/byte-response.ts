/** How a correct server answers a request for content, before it is asked who is asking. */
export interface ByteResponse {
  readonly status: 200 | 206 | 304 | 416;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

interface Conditions {
  readonly range?: string | undefined;
  readonly 'if-range'?: string | undefined;
  readonly 'if-none-match'?: string | undefined;
}

/**
 * Conditions and a single byte range (RFC 9110 §13, §14). Several ranges, and ranges whose `If-Range` does not match,
 * are answered whole; so is everything when the server knows no `ranges`. The headers hold neither length nor content type.
 */
export function respondWithBytes(
  content: Buffer,
  etag: string | undefined,
  conditions: Conditions,
  ranges = true,
): ByteResponse {
  const validator: Record<string, string> = etag === undefined ? {} : { etag };
  const known = conditions['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (etag !== undefined && (known?.includes(etag) || known?.includes('*'))) {
    return { status: 304, headers: validator, body: Buffer.alloc(0) };
  }
  if (!ranges) return { status: 200, headers: validator, body: content };
  const headers = { ...validator, 'accept-ranges': 'bytes' };
  const ifRange = conditions['if-range'];
  const whole = { status: 200, headers, body: content } as const;
  if (conditions.range === undefined || (ifRange !== undefined && ifRange !== etag)) return whole;
  const match = /^bytes=(\d*)-(\d*)$/.exec(conditions.range.trim());
  if (!match || (match[1] === '' && match[2] === '')) return whole;
  const size = content.length;
  const start = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = match[1] === '' || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (match[1] !== '' && match[2] !== '' && Number(match[2]) < start) return whole;
  if (start >= size) {
    return { status: 416, headers: { ...headers, 'content-range': `bytes */${size}` }, body: Buffer.alloc(0) };
  }
  const contentRange = `bytes ${start}-${end}/${size}`;
  return {
    status: 206,
    headers: { ...headers, 'content-range': contentRange },
    body: content.subarray(start, end + 1),
  };
}
