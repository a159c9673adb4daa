import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';

/** A key that signs tokens, or one that signed them before. */
export interface SigningKey {
  /** From the key itself, so that replicas agree on it (RFC 7638 in spirit). */
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/**
 * Reads Ed25519 private keys in PEM (PKCS #8). The first signs; tokens of all are accepted, so that a key is changed by
 * putting the new one before the old one.
 * @throws Error without the content
 */
export function parseSigningKeys(pem: string): readonly SigningKey[] {
  const blocks = pem.match(/-----BEGIN PRIVATE KEY-----[\s\S]+?-----END PRIVATE KEY-----/g) ?? [];
  if (blocks.length === 0) throw new Error('has no private key in PEM (PKCS #8)');
  if (blocks.length > 4) throw new Error('has more than four keys');
  return blocks.map((block) => {
    const privateKey = readKey(block);
    if (privateKey.asymmetricKeyType !== 'ed25519')
      throw new Error('must have Ed25519 keys: openssl genpkey -algorithm ed25519 makes one');
    const publicKey = createPublicKey(privateKey);
    const der = publicKey.export({ type: 'spki', format: 'der' });
    return { id: createHash('sha256').update(der).digest('base64url').slice(0, 22), privateKey, publicKey };
  });
}

export function makeSigningKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function readKey(block: string): KeyObject {
  try {
    return createPrivateKey(block);
  } catch {
    // The reason may quote the key.
    throw new Error('has a private key that cannot be read');
  }
}
