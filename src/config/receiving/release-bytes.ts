import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** `ArrayBuffer.prototype.transfer` (ES2024). */
type Transfer = (this: ArrayBuffer, length: number) => ArrayBuffer;

let transfer: Transfer | undefined;

/**
 * Frees the memory of a chunk of which nobody has a reference any more. V8 would wait until there are 32 MiB of such
 * chunks, and then collect garbage again and again. Does nothing for a chunk that is a part of a larger buffer.
 */
export function releaseBytes({ buffer, byteLength }: Uint8Array): void {
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== byteLength || byteLength === 0) return;
  transfer ??= findTransfer();
  transfer.call(buffer, 0);
}

function findTransfer(): Transfer {
  const { transfer: own } = ArrayBuffer.prototype as { transfer?: Transfer };
  return own ?? transferOfNewContext();
}

/** V8 of Node 20 has the method behind a flag, which counts for new contexts. */
function transferOfNewContext(): Transfer {
  setFlagsFromString('--harmony-rab-gsab-transfer');
  try {
    return runInNewContext('ArrayBuffer.prototype.transfer') as Transfer;
  } finally {
    setFlagsFromString('--no-harmony-rab-gsab-transfer');
  }
}
