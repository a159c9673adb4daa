import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readRegularFile } from '../../../config/files/regular.file.js';
import { CredentialError } from '../credential.source.js';

/** Characters of a key or token file; usual ones have less than 10,000. */
const maxLength = 128 * 1024;

/** @param what as messages name it: `the private key file`. @throws CredentialError without the content */
export async function readCredentialFile(file: string, what: string): Promise<string> {
  let text: string;
  try {
    text = await readRegularFile(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message.split(',')[0] : 'unknown';
    throw new CredentialError(`${what} ${file} cannot be read: ${reason}`);
  }
  if (text.length <= maxLength) return text;
  throw new CredentialError(`${what} ${file} cannot be read: is larger than ${maxLength} characters`);
}

/** A secret or a token that fills a file, without white space around it. @throws CredentialError */
export async function readSecretFile(file: string, what: string): Promise<string> {
  const text = (await readCredentialFile(file, what)).trim();
  if (text !== '' && !/[\u0000-\u001f\u007f]/.test(text)) return text;
  throw new CredentialError(`${what} ${file} ${text === '' ? 'is empty' : 'has more than one line'}`);
}

/** @param where the key is from, for messages. @throws CredentialError without the content */
export function rsaKeyOf(pem: string, where: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    // OpenSSL's message names its functions and no remedy.
    throw new CredentialError(`${where} has no private key in PEM, or an encrypted one`);
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType === 'rsa' && bits >= 2048) return key;
  throw new CredentialError(`${where} has no RSA key of at least 2048 bits`);
}
