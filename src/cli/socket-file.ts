import { lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { StartError } from './start-error.js';

/**
 * Removes a stale socket file, so that the server can listen on its path.
 * @throws StartError when a process still listens on it, or when the file is not a socket.
 */
export async function clearSocketFile(path: string): Promise<void> {
  const status = await lstat(path).catch(() => undefined);
  if (!status) return;
  if (!status.isSocket()) throw new StartError(`cannot listen on ${path}: it is not a socket`);
  if (await isListening(path)) throw new StartError(`cannot listen on ${path}: another process is listening on it`);
  await unlink(path);
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // Only ECONNREFUSED proves that the socket is stale.
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}
