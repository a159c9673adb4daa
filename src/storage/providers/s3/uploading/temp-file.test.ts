import { randomBytes } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import type { RequestBody } from './request-body.js';
import { TempFile } from './temp-file.js';

/** What a request would send of a body: it takes each chunk a moment later. */
async function sent(body: RequestBody): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const request = new Writable({
    write(chunk: Buffer, _encoding, taken) {
      setImmediate(() => {
        chunks.push(Buffer.from(chunk));
        taken();
      });
    },
  });
  await finished(body.pipe(request));
  return Buffer.concat(chunks);
}

const block = 256 * 1024;

describe('TempFile', () => {
  it('sends what was appended, whether the disk has it already or not', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'temp-file-'));
    try {
      const file = new TempFile(await open(join(folder, 'file'), 'w+'));
      const content = randomBytes(70 * block + 1234);
      const bodies: Promise<void>[] = [];
      for (let end = 0; end < content.length;) {
        const start = end;
        end = Math.min(content.length, end + 3 * block + 77);
        await file.append(content.subarray(start, end));
        const ranges = [
          { offset: start, length: end - start },
          { offset: 0, length: end },
        ];
        for (const { offset, length } of ranges) {
          const wanted = content.subarray(offset, offset + length);
          bodies.push(
            sent(file.body({ offset, length }, () => undefined)).then((bytes) =>
              expect(bytes.equals(wanted)).toBe(true),
            ),
          );
        }
      }
      await Promise.all(bodies);
      await file.close();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
