import { PassThrough, Readable } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { discardBody, readBody } from './body.js';

afterEach(() => vi.useRealTimers());

const chunks = (...texts: string[]) =>
  Readable.from(
    texts.map((text) => Buffer.from(text)),
    { objectMode: false },
  );

describe('readBody', () => {
  it('returns the whole body, up to the limit', async () => {
    expect((await readBody(chunks('ab', 'cd'), 4, 'host')).toString()).toBe('abcd');
    expect((await readBody(chunks(), 0, 'host')).length).toBe(0);
  });

  it('stops at the first byte beyond the limit, and destroys the body', async () => {
    const body = chunks('ab', 'cde', 'f');
    await expect(readBody(body, 4, 'host')).rejects.toMatchObject({ name: 'UpstreamError', kind: 'wrong' });
    expect(body.destroyed).toBe(true);
  });

  it('reports a truncated body', async () => {
    const body = new PassThrough();
    body.write('ab');
    setImmediate(() => body.destroy(new Error('aborted')));
    await expect(readBody(body, 10, 'host')).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('takes at most thirty seconds, however much arrives', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const body = new PassThrough();
    body.write('a');
    const read = expect(readBody(body, 10, 'host')).rejects.toMatchObject({ kind: 'timeout' });
    await vi.advanceTimersByTimeAsync(29_999);
    expect(body.destroyed).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await read;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves no timer behind', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await readBody(chunks('a'), 10, 'host');
    await readBody(chunks('ab'), 1, 'host').catch(() => undefined);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('discardBody', () => {
  it.each(['0', '65536'])('reads a small body to keep the connection: %s', async (length) => {
    const body = chunks('rest');
    let ended = false;
    body.once('end', () => (ended = true));
    discardBody(body, length);
    await new Promise((resolve) => body.once('close', resolve));
    expect(ended).toBe(true);
  });

  it.each([undefined, '65537', 'many', '-'])('destroys a body that is large or of unknown size: %s', (length) => {
    const body = chunks('rest');
    discardBody(body, length);
    expect(body.destroyed).toBe(true);
  });

  it('takes at most a second', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const body = new PassThrough();
    discardBody(body, '10');
    await vi.advanceTimersByTimeAsync(999);
    expect(body.destroyed).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(body.destroyed).toBe(true);
  });
});
