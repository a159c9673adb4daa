import type { Agent } from 'node:http';
import type { OnReadOpts, Socket } from 'node:net';

/** Bytes per read from a connection. */
const readSize = 256 * 1024;

const buffer = Buffer.allocUnsafeSlow(readSize);

/** Takes what a connection receives, in place of its `data` listeners. A chunk is only valid during the call. */
export type Receiver = (chunk: Buffer) => void;

/** Connections that read into the buffer, and who takes over what they receive. */
const receivers = new WeakMap<Socket, Receiver | undefined>();

const onread: OnReadOpts = {
  buffer,
  callback(this: Socket, length: number): boolean {
    const chunk = buffer.subarray(0, length);
    const receiver = receivers.get(this);
    if (receiver) receiver(chunk);
    else {
      if (!receivers.has(this)) receivers.set(this, undefined);
      // Bytes that nobody waits for come before the next response, which would be taken for another (RFC 9112 §9.2).
      if (!this.emit('data', chunk)) this.destroy();
    }
    return true;
  },
};

/**
 * Makes an agent's connections read into one buffer per process instead of allocating 64 KiB for each read: for a large
 * body, collecting those buffers costs more than hashing the body. The HTTP parser, the only consumer, copies the data
 * before the next read.
 *
 * This is not an agent option because axios passes those on to the connection to a proxy, which has other consumers.
 */
export function receiveIntoOneBuffer<T extends Agent>(agent: T): T {
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const receiving = { ...options, onread };
    return connect(receiving, callback);
  };
  return agent;
}

/** Whether the connection has received bytes in the one buffer, so that `interceptReads` works. */
export function readsIntoOneBuffer(socket: Socket): boolean {
  return receivers.has(socket);
}

/** Gives all that the connection receives to `receiver`; undefined gives it to the `data` listeners again. */
export function interceptReads(socket: Socket, receiver: Receiver | undefined): void {
  receivers.set(socket, receiver);
}
