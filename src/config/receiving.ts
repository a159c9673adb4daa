import type { Agent } from 'node:http';
import type { OnReadOpts } from 'node:net';

/** Bytes per read from a connection. */
const readSize = 128 * 1024;

const buffer = Buffer.allocUnsafeSlow(readSize);

interface Receiver {
  emit(event: 'data', chunk: Buffer): boolean;
}

const onread: OnReadOpts = {
  buffer,
  callback(this: Receiver, length: number): boolean {
    this.emit('data', buffer.subarray(0, length));
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
