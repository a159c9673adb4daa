import { lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { StartError } from './start-error.js';

/**
 * Makes way for a listening socket: a socket file that nobody listens on any more is removed.
 * @throws StartError when somebody does, or when something else has that name.
 */
export async function clearSocketFile(path: string): Promise<void> {
  const status = await lstat(path).catch(() => undefined);
  if (!status) return;
  if (!status.isSocket()) throw new StartError(`cannot listen on ${path}: it is not a socket`);
  if (await isListening(path)) throw new StartError(`cannot listen on ${path}: another process does`);
  await unlink(path);
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // Only a refusal says that nobody is there; anything else is not ours to remove.
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}
