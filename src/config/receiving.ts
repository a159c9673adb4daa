import type { Agent } from 'node:http';
import type { OnReadOpts } from 'node:net';

/** Bytes that are read from a connection at once. */
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
 * Has what arrives on an agent's connections read into the one buffer of this process, instead of one of 64 KiB that is
 * made for each read and left to the garbage collector: of a large body those cost more than hashing it. HTTP's parser,
 * the only one who listens, copies what it passes on before the next read.
 *
 * It is no option of the agent: axios hands those on to the connection to a proxy, to which others listen.
 */
export function receiveIntoOneBuffer<T extends Agent>(agent: T): T {
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const receiving = { ...options, onread };
    return connect(receiving, callback);
  };
  return agent;
}
