import { CredentialError } from '../../credential.source.js';

/** Keys as the agents of containers and the metadata service of instances send them. */
export interface KeyDocument {
  readonly accessKeyId: unknown;
  readonly secretAccessKey: unknown;
  readonly sessionToken: unknown;
  readonly expiration: unknown;
  /** Empty when it is not stated. */
  readonly roleArn: string;
  /** `Success`, or why there are no keys; only from the metadata service. */
  readonly code: unknown;
}

/** @param source names where it comes from. @throws CredentialError without the content */
export function readKeyDocument(text: string, source: string): KeyDocument {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) throw new CredentialError(`${source} does not send JSON`);
  const fields = parsed as Readonly<Record<string, unknown>>;
  return {
    accessKeyId: fields.AccessKeyId,
    secretAccessKey: fields.SecretAccessKey,
    // Both are always there: keys of a role without them would be refused later.
    sessionToken: fields.Token ?? '',
    expiration: fields.Expiration ?? '',
    roleArn: typeof fields.RoleArn === 'string' ? fields.RoleArn : '',
    code: fields.Code,
  };
}
