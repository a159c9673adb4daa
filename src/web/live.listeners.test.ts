import { PassThrough } from 'node:stream';
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LiveListeners } from './live.listeners.js';

/** As much of a response as is used. */
function openResponse() {
  const stream = new PassThrough({ highWaterMark: 4096 });
  return { stream, response: stream as unknown as ServerResponse, text: () => String(stream.read() ?? '') };
}

describe('pages that listen', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }));
  afterEach(() => vi.useRealTimers());

  it('are sent what has changed, a sign of life, and have to come again after a minute', () => {
    const live = new LiveListeners(() => false);
    const { response, stream, text } = openResponse();
    let state = 'one\ntwo';
    live.add(response, '192.0.2.1', () => state);
    expect(text()).toBe('retry: 2000\n\ndata: "one\\ntwo"\n\n');
    vi.advanceTimersByTime(5_000);
    expect(text()).toBe('');
    state = 'three';
    vi.advanceTimersByTime(1_000);
    expect(text()).toBe('data: "three"\n\n');
    vi.advanceTimersByTime(17_000);
    expect(text()).toBe(': still here\n\n');
    vi.advanceTimersByTime(60_000);
    expect(stream.writableEnded).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('miss states while they do not read, and are cut then', () => {
    const live = new LiveListeners(() => false);
    const { response, stream } = openResponse();
    let count = 0;
    live.add(response, '192.0.2.1', () => `${(count += 1)}${'x'.repeat(3_000)}`);
    vi.advanceTimersByTime(30_000);
    expect(count).toBeLessThan(5);
    expect(stream.readableLength + stream.writableLength).toBeLessThan(16_000);
    vi.advanceTimersByTime(40_000);
    expect(stream.destroyed).toBe(true);
  });

  it('end when what they show cannot be made, which harms nobody else', () => {
    const live = new LiveListeners(() => false);
    const [broken, good] = [openResponse(), openResponse()];
    let isBroken = false;
    live.add(broken.response, '192.0.2.1', () => {
      if (isBroken) throw new Error('broken');
      return 'a';
    });
    live.add(good.response, '192.0.2.1', () => (isBroken ? 'b' : 'a'));
    isBroken = true;
    vi.advanceTimersByTime(1_000);
    expect(broken.stream.writableEnded).toBe(true);
    expect(good.text()).toContain('data: "b"');
    live.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ['an IPv4 address', () => '192.0.2.1', '192.0.2.2'],
    ['an IPv6 /64', (index: number) => `2001:db8::${index}`, '2001:db8:0:1::1'],
  ])('are at most eight of %s, and 32 in all', (_, addressOf, other) => {
    const live = new LiveListeners(() => false);
    const streams = Array.from({ length: 8 }, (_each, index) => {
      expect(live.refusalFor(addressOf(index))).toBeUndefined();
      const { response, stream } = openResponse();
      live.add(response, addressOf(index), () => 'a');
      return stream;
    });
    expect(live.refusalFor(addressOf(9))).toMatchObject({ status: 429, retryAfter: 30 });
    expect(live.refusalFor(other)).toBeUndefined();
    streams[0]!.emit('close');
    expect(live.refusalFor(addressOf(9))).toBeUndefined();
    for (let index = 0; index < 25; index += 1) live.add(openResponse().response, `198.51.100.${index}`, () => 'a');
    expect(live.refusalFor(other)).toMatchObject({ status: 503, retryAfter: 30 });
    live.close();
  });
});
