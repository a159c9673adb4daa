import { readRegularFile } from '../../../config/files/regular.file.js';
import { CredentialError } from '../credential.source.js';

/**
 * The token of a file that others keep current: read each time. @param setting names the file in messages
 * @throws CredentialError without the content
 */
export async function readToken(path: string, setting: string): Promise<string> {
  let text: string;
  try {
    text = (await readRegularFile(path)).trim();
  } catch (error) {
    throw new CredentialError(`${path}, which ${setting} names, ${reasonOf(error)}`);
  }
  if (/^[\x21-\x7e](?:[\x20-\x7e]{0,16383})$/.test(text)) return text;
  throw new CredentialError(`${path}, which ${setting} names, ${text === '' ? 'is empty' : 'is no token'}`);
}

/** Completes a sentence that begins with the path. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'cannot be read';
  return 'code' in error ? `cannot be read (${String(error.code)})` : error.message;
}
