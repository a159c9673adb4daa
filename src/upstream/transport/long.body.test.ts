import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, describe, it, vi } from 'vitest';
import { BodyMemory } from '../../config/memory/body.memory.js';
import { LongBody, receiveAny } from './long.body.js';

const mebibyte = 1024 * 1024;
const memory = new BodyMemory(16 * mebibyte);
let count = 0;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  count = 0;
});
afterEach(() => {
  vi.useRealTimers();
  expect(memory.size).toBe(0);
});

/** A response with so many bytes at once, and more to come. */
async function open(sent: number, declared?: number): Promise<{ body: PassThrough; long: LongBody }> {
  const body = new PassThrough({ highWaterMark: 64 * mebibyte });
  body.on('error', () => undefined);
  body.write(Buffer.alloc(sent));
  const headers = declared === undefined ? {} : { 'content-length': String(declared) };
  const exchange = {
    status: 200,
    headers,
    body: Object.assign(body, { complete: true }) as unknown as IncomingMessage,
    host: 'registry.test',
  };
  const long = await receiveAny(exchange, 4 * mebibyte, memory, 'registry.test', (bytes) => (count += bytes));
  if (!(long instanceof LongBody)) throw new Error('the body was held whole');
  return { body, long };
}

async function drain(long: LongBody): Promise<number> {
  let size = 0;
  for (let chunk = await long.next(); chunk; chunk = await long.next()) size += chunk.length;
  return size;
}

describe('a body that is longer than the limit', () => {
  it.each([undefined, 5 * mebibyte])(
    'is read to its end, and its room is given back: declared %s',
    async (declared) => {
      const { body, long } = await open(5 * mebibyte, declared);
      expect(memory.size).toBe(4 * mebibyte);
      body.end();
      expect(await drain(long)).toBe(5 * mebibyte);
      long.close();
      expect(count).toBe(5 * mebibyte);
    },
  );

  it('is cut when nobody reads it', async () => {
    const { body, long } = await open(5 * mebibyte);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(body.destroyed).toBe(true);
    await expect(long.next()).rejects.toMatchObject({ kind: 'timeout' });
  });

  it('is cut when it arrives at less than 32 KiB/s', async () => {
    const { body, long } = await open(5 * mebibyte);
    const reading = drain(long);
    reading.catch(() => undefined);
    for (let second = 0; second < 35; second += 1) {
      body.write(Buffer.alloc(20_000));
      await vi.advanceTimersByTimeAsync(1_000);
    }
    await expect(reading).rejects.toMatchObject({ kind: 'timeout' });
    expect(body.destroyed).toBe(true);
  });

  it('is cut after five minutes, however fast it arrives', async () => {
    const { body, long } = await open(5 * mebibyte);
    const reading = drain(long);
    reading.catch(() => undefined);
    let seconds = 0;
    for (; seconds < 400 && !body.destroyed; seconds += 1) {
      body.write(Buffer.alloc(50_000));
      await vi.advanceTimersByTimeAsync(1_000);
    }
    await expect(reading).rejects.toMatchObject({ kind: 'timeout' });
    expect(seconds).toBeGreaterThan(295);
    expect(seconds).toBeLessThan(320);
  });

  it('that breaks off is no complete one', async () => {
    const { body, long } = await open(5 * mebibyte);
    const reading = drain(long);
    reading.catch(() => undefined);
    body.destroy(new Error('reset'));
    await expect(reading).rejects.toMatchObject({ kind: 'unavailable' });
    long.close();
  });
});
