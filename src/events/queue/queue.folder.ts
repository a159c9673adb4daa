import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { ServerSettings } from '../../config/server.settings.js';
import type { StorageSettings } from '../../config/storage.settings.js';

/**
 * Where events wait: below the root of filesystem storage, which outlives the process. Elsewhere the name has a hash of the
 * storage, so that servers with different ones do not send each other's events.
 */
export function queueFolder(
  { webhooksQueue }: Pick<ServerSettings, 'webhooksQueue'>,
  storage: StorageSettings,
): string {
  if (webhooksQueue !== undefined) return resolve(webhooksQueue);
  if (storage.provider === 'filesystem') return resolve(storage.root, 'events');
  const hash = createHash('sha256').update(JSON.stringify(storage)).digest('hex').slice(0, 16);
  return join(tmpdir(), `oci-registry-events-${hash}`);
}
