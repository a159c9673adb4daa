/** A request as the client has signed it. */
export interface SignedRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Where objects of a bucket are, and what requests for them are signed for. */
export interface RequestPlace {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  /** What a path begins with, before the slash and the key. */
  readonly base: string;
  readonly region: string;
  /** As the headers of that name. */
  readonly host: string;
  readonly agent: string;
}

/** Signature version 4 for S3; buckets of other kinds have other ones. */
const signature = /^AWS4-HMAC-SHA256 Credential=.+\/\d{8}\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=/;

/** Undefined when the request shows that its bucket needs more than a signature. @param key of its object, not escaped */
export function placeOf(
  { protocol, hostname, port, path, headers }: SignedRequest,
  key: string,
): RequestPlace | undefined {
  const [, region] = signature.exec(headers.authorization ?? '') ?? [];
  const { host, 'user-agent': agent } = headers;
  if (region === undefined || host === undefined || agent === undefined || !path.endsWith(`/${key}`)) return undefined;
  const base = path.slice(0, -key.length - 1);
  return { protocol, hostname, ...(port !== undefined && { port }), base, region, host, agent };
}
