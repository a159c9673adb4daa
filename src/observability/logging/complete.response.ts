import type { ServerResponse } from 'node:http';

/** Whether the kernel has all of a response that has closed. Node calls it finished, too, when its connection was cut. */
export function isComplete({ writableFinished, req: { socket } }: ServerResponse): boolean {
  return writableFinished && (!socket.destroyed || socket.writableFinished);
}
