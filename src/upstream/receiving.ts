import type { OnReadOpts } from 'node:net';

/** Bytes that are read from a connection at once. */
const readSize = 128 * 1024;

const buffer = Buffer.allocUnsafeSlow(readSize);

interface Receiver {
  emit(event: 'data', chunk: Buffer): boolean;
}

/**
 * Has what arrives on a connection read into the one buffer of this process, instead of one of 64 KiB that is made for
 * each read and left to the garbage collector: of a large body those cost more than hashing it. HTTP's parser, the only
 * one who listens, copies what it passes on before the next read.
 */
export const receiving: OnReadOpts = {
  buffer,
  callback(this: Receiver, length: number): boolean {
    this.emit('data', buffer.subarray(0, length));
    return true;
  },
};
