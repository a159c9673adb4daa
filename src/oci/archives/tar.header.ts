const block = 512;
/** Longest name that the header itself has. */
const maxName = 100;
/** Sizes from here on need base 256. */
const maxOctal = 8 ** 11;

/** The end of an archive: two blocks of zeros. */
export const trailer = Buffer.alloc(2 * block);

/** What fills the last block of a file. */
export function padding(size: number): Buffer {
  return Buffer.alloc((block - (size % block)) % block);
}

/** The header of an entry, in the format ustar, after an extended one for a long name (POSIX.1-2017, pax). */
export function entryHeader(name: string, size: number, kind: 'file' | 'folder'): Buffer {
  const type = kind === 'file' ? '0' : '5';
  if (Buffer.byteLength(name) <= maxName) return header(name, size, type);
  const record = paxRecord('path', name);
  const extension = Buffer.concat([header('pax', record.length, 'x'), record, padding(record.length)]);
  return Buffer.concat([extension, header(name.slice(0, maxName), size, type)]);
}

function header(name: string, size: number, type: string): Buffer {
  const bytes = Buffer.alloc(block);
  bytes.write(name, 0);
  bytes.write(type === '5' ? '0000755\0' : '0000644\0', 100);
  bytes.write('0000000\0'.repeat(2), 108);
  writeSize(bytes, size);
  bytes.write('00000000000\0', 136);
  bytes.write(' '.repeat(8), 148);
  bytes.write(type, 156);
  bytes.write('ustar\x0000', 257);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return bytes;
}

function writeSize(bytes: Buffer, size: number): void {
  if (size < maxOctal) {
    bytes.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
    return;
  }
  bytes[124] = 0x80;
  bytes.writeBigUInt64BE(BigInt(size), 128);
}

/** `<length> <key>=<value>\n`, whose length counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}
