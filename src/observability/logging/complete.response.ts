import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Whether the kernel has all of a response that has closed. Node calls it finished, too, when its connection was cut.
 * @param socket on which its request arrived; neither of them refers to it at their ends
 */
export function isComplete({ writableFinished }: ServerResponse, socket: Socket): boolean {
  return writableFinished && (!socket.destroyed || socket.writableFinished);
}
