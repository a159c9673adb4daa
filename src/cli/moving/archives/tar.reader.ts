import type { FileHandle } from 'node:fs/promises';
import { MoveError } from '../move-error.js';

/** Entry of an archive. */
export interface TarEntry {
  readonly name: string;
  readonly kind: 'file' | 'link' | 'symlink' | 'folder' | 'other';
  /** Where its content begins in the archive, and its bytes. */
  readonly offset: number;
  readonly size: number;
  /** What a link names. */
  readonly target: string;
}

const block = 512;
const maxEntries = 200_000;
/** Most bytes of the headers that have long names. */
const maxExtension = 1024 * 1024;
const maxName = 4_096;
/** Most characters of all names. */
const maxNames = 64 * 1024 * 1024;

const kinds: Readonly<Record<string, TarEntry['kind']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'link',
  '2': 'symlink',
  '5': 'folder',
};

/** Fields that an extended header gives for the next entry. */
type Extension = Partial<Record<'path' | 'linkpath' | 'size' | 'sparse', string>>;

/**
 * The entries of an archive in the formats ustar, pax and GNU (POSIX.1-2017, pax, "ustar Interchange Format"); content is
 * not read.
 * @param end is called for the end marker, which a truncated archive does not have.
 * @throws MoveError for an archive that is damaged or truncated, or has names that lead out of it
 */
export async function* readEntries(file: FileHandle, length: number, end: () => void): AsyncGenerator<TarEntry> {
  let next: Extension = {};
  for (let position = 0, count = 0, names = 0; position < length; count += 1) {
    const header = await read(file, position, block, length);
    if (header.every((byte) => byte === 0)) {
      end();
      return;
    }
    if (count > maxEntries) throw new MoveError(`the archive has more than ${maxEntries} entries`);
    if (!isHeader(header))
      throw new MoveError(position === 0 ? 'the file is not a tar archive' : `the archive is damaged at ${position}`);
    const type = String.fromCharCode(header[156] ?? 0);
    const size = next.size === undefined ? numberOf(header.subarray(124, 136)) : Number(next.size);
    if (!Number.isSafeInteger(size) || size < 0) throw new MoveError(`the archive is damaged at ${position}`);
    const offset = position + block;
    if (offset + size > length) throw new MoveError('the archive is truncated');
    position = offset + Math.ceil(size / block) * block;
    if (type === 'g') continue;
    if (type === 'L' || type === 'K' || type === 'x') {
      if (size > maxExtension) throw new MoveError(`the archive has a header of more than ${maxExtension} bytes`);
      const body = await read(file, offset, size, length);
      const text = body.toString('utf8').replace(/\0.*$/s, '');
      next = { ...next, ...(type === 'x' ? paxOf(body) : type === 'L' ? { path: text } : { linkpath: text }) };
      continue;
    }
    const entry = entryOf(header, type, next, offset, size);
    names += entry.name.length + entry.target.length;
    if (names > maxNames) throw new MoveError('the archive has names of more than 64 MiB');
    yield entry;
    next = {};
  }
}

async function read(file: FileHandle, position: number, size: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(size);
  const isThere = position + size <= length;
  const { bytesRead } = isThere ? await file.read(buffer, 0, size, position) : { bytesRead: 0 };
  if (bytesRead < size) throw new MoveError('the archive is truncated');
  return buffer;
}

function entryOf(header: Buffer, type: string, next: Extension, offset: number, size: number): TarEntry {
  const prefix = header.subarray(257, 262).toString('latin1') === 'ustar' ? textOf(header.subarray(345, 500)) : '';
  const own = textOf(header.subarray(0, 100));
  // GNU's old format has other fields where ustar has the prefix.
  const isGnu = header.subarray(257, 265).toString('latin1') === 'ustar  \0';
  const name = normal(next.path ?? (prefix !== '' && !isGnu ? `${prefix}/${own}` : own));
  const kind = next.sparse === undefined ? (kinds[type] ?? 'other') : 'other';
  return { name, kind, offset, size, target: next.linkpath ?? textOf(header.subarray(157, 257)) };
}

/** A name without `./`. @throws MoveError when it leads out of the archive */
function normal(name: string): string {
  if (name.length > maxName) throw new MoveError(`the archive has a name of more than ${maxName} characters`);
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (name.startsWith('/') || parts.includes('..'))
    throw new MoveError(`the archive has an entry that leads out of it: ${name.slice(0, 256)}`);
  return parts.join('/');
}

/** Records `<length> <key>=<value>\n`. */
function paxOf(body: Buffer): Extension {
  const found: Extension = {};
  for (let start = 0; start < body.length;) {
    const space = body.indexOf(0x20, start);
    const length = space === -1 ? NaN : Number(body.subarray(start, space).toString('latin1'));
    if (!(Number.isInteger(length) && length > space - start && start + length <= body.length)) break;
    const [, key, value = ''] =
      /^([^=]+)=(.*)\n$/s.exec(body.subarray(space + 1, start + length).toString('utf8')) ?? [];
    if (key === 'path' || key === 'linkpath' || key === 'size') found[key] = value;
    if (key?.startsWith('GNU.sparse.') === true) found.sparse = value;
    start += length;
  }
  return found;
}

/** Whether the checksum is right: the sum of the bytes, with spaces for the checksum itself. */
function isHeader(header: Buffer): boolean {
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  return numberOf(header.subarray(148, 156)) === sum;
}

/** Octal digits, or base 256 for sizes of more than 8 GiB. */
function numberOf(field: Buffer): number {
  const [first = 0] = field;
  if (first === 0x80) return field.subarray(1).reduce((value, byte) => value * 256 + byte, 0);
  const text = textOf(field).trim();
  return text === '' ? 0 : /^[0-7]+$/.test(text) ? parseInt(text, 8) : NaN;
}

function textOf(field: Buffer): string {
  const end = field.indexOf(0);
  return field.subarray(0, end === -1 ? field.length : end).toString('utf8');
}
