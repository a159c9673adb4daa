export interface TarFile {
  readonly name: string;
  readonly body?: Buffer | string;
  /** As the header has it: `0` file, `1` link, `2` symbolic link, `3` device, `5` folder. */
  readonly type?: string;
  readonly target?: string;
  /** Size in the header, where it is not that of the body. */
  readonly size?: number;
}

/** An archive, with whatever somebody may put into one. */
export function tar(files: readonly TarFile[], { trailer = true } = {}): Buffer {
  return Buffer.concat([...files.flatMap(entryOf), ...(trailer ? [Buffer.alloc(1024)] : [])]);
}

function entryOf({ name, body = '', type = '0', target = '', size }: TarFile): Buffer[] {
  const content = Buffer.from(body as string);
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write('0000644\0', 100);
  header.write(`${(size ?? content.length).toString(8).padStart(11, '0')}\0`, 124);
  header.write(' '.repeat(8), 148);
  header.write(type, 156);
  header.write(target, 157, 100);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
}
