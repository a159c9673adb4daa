import { Buffer } from 'node:buffer';

/** A member of an archive: a folder, a file or a symbolic link, owned by root. */
export interface Entry {
  readonly path: string;
  readonly mode?: number;
  readonly linkTarget?: string;
  readonly content?: Buffer | { size: number; chunks: Iterable<Buffer> };
}

const BLOCK = 512;

/** The bytes of a ustar archive. */
export function* tar(entries: Iterable<Entry>): Generator<Buffer> {
  for (const entry of entries) {
    const content = entry.content ?? Buffer.alloc(0);
    const { size, chunks } = Buffer.isBuffer(content) ? { size: content.length, chunks: [content] } : content;
    yield header(entry, size);
    yield* chunks;
    yield Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
  }
  yield Buffer.alloc(2 * BLOCK);
}

function header(entry: Entry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const folder = entry.path.endsWith('/');
  const octal = (value: number, length: number) => value.toString(8).padStart(length - 1, '0');
  block.write(entry.path, 0, 100);
  block.write(octal(entry.mode ?? (folder ? 0o755 : 0o644), 8), 100);
  block.write(octal(0, 8), 108);
  block.write(octal(0, 8), 116);
  block.write(octal(size, 12), 124);
  block.write(octal(0, 12), 136);
  block.write(' '.repeat(8), 148);
  block.write(folder ? '5' : entry.linkTarget === undefined ? '0' : '2', 156);
  block.write(entry.linkTarget ?? '', 157, 100);
  block.write('ustar\x0000', 257);
  const checksum = block.reduce((sum, byte) => sum + byte, 0);
  block.write(`${octal(checksum, 7)}\0 `, 148);
  return block;
}
