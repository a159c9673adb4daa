import { writeFile } from 'node:fs/promises';
import { makeCertificate, type FixtureCertificate } from '../../fixtures/certificate.js';
import type { Folder } from './folder.js';

export interface KeyPairFile extends FixtureCertificate {
  /** The settings that name it. */
  readonly server: { readonly tlsCert: string; readonly tlsKey: string };
  readonly flags: readonly string[];
}

/** A certificate and its key as files of the folder. */
export async function writeKeyPair(folder: Folder, pair = makeCertificate()): Promise<KeyPairFile> {
  const server = { tlsCert: folder.file('tls.crt'), tlsKey: folder.file('tls.key') };
  await writeFile(server.tlsCert, pair.cert);
  await writeFile(server.tlsKey, pair.key, { mode: 0o600 });
  return { ...pair, server, flags: ['--tls-cert', server.tlsCert, '--tls-key', server.tlsKey] };
}
