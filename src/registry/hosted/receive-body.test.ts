import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { OciError } from '../../oci/error.js';
import { receiveBody } from './receive-body.js';

const mebibyte = 1024 ** 2;
const noSignal = new AbortController().signal;

const bodyOf = (chunks: () => AsyncIterable<Uint8Array>, length?: number) => ({ length, chunks });

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

describe('receiveBody', () => {
  it('keeps no chunk that it has passed on', async () => {
    const count = 64;
    async function* chunks() {
      for (let index = 0; index < count; index += 1) yield await Promise.resolve(new Uint8Array(mebibyte));
    }
    collectGarbage();
    const before = process.memoryUsage().arrayBuffers;
    let taken = 0;
    let held = 0;
    const take = async () => {
      taken += 1;
      // A thread of its own frees what was collected, when it gets to it.
      for (let looks = 0; taken === count && looks < 100 && (looks === 0 || held >= 8 * mebibyte); looks += 1) {
        collectGarbage();
        await delay(10);
        held = process.memoryUsage().arrayBuffers - before;
      }
    };
    expect(await receiveBody(bodyOf(chunks), { before: 0 }, take, noSignal)).toBe(count * mebibyte);
    expect(held).toBeLessThan(8 * mebibyte);
  });

  it.each([false, true])(
    'ends the waiting for a chunk with the reason of the signal (aborted before: %s)',
    async (isLate) => {
      const abort = new AbortController();
      const reason = new OciError('BLOB_UPLOAD_INVALID', 'another request continues this upload');
      async function* chunks() {
        yield new Uint8Array(1);
        yield await new Promise<Uint8Array>(() => undefined);
      }
      const take = () => {
        if (isLate) abort.abort(reason);
        else setTimeout(() => abort.abort(reason), 10);
        return Promise.resolve();
      };
      await expect(receiveBody(bodyOf(chunks), { before: 0 }, take, abort.signal)).rejects.toBe(reason);
    },
  );
});
