import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { IncomingBody } from '../../../src/distribution/requests/incoming.body.js';
import { makeImage } from '../../fixtures/images.js';
import { expectError } from '../support/error-document.js';
import { until } from '../support/until.js';
import { Conversation } from './support/conversation.js';
import { Hosting } from './support/hosting.js';
import { finish, half, headOf, partial as blob } from './support/partial.js';

const app = '/v2/local/app';
const image = makeImage({ layers: [10], seed: 'stalling' });

// Each waits for deadlines of a server of its own.
describe.concurrent('a client that stalls in a body', { timeout: 60_000 }, () => {
  it('of an upload is cut after --client-timeout, and what it sent is kept', async () => {
    await using hosting = await Hosting.start({ server: { clientTimeout: 1_000 } });
    const location = await hosting.begin();
    await using slow = await Conversation.open(hosting.url);
    slow.say(headOf('PATCH', location, blob.body.length));
    slow.say(half);
    const refusal = await slow.hear({ deadline: 20_000 });
    expectError(refusal, 408, 'REQUEST_INVALID');
    expect(refusal.headers.connection).toBe('close');
    await slow.ended();
    expect((await hosting.ask('GET', location)).headers.range).toBe('0-99999');
    await finish(hosting, location);
  });

  it('of an upload with a byte now and then is cut all the same', async () => {
    await using hosting = await Hosting.start({ server: { clientTimeout: 2_000 } });
    await using slow = await Conversation.open(hosting.url);
    slow.say(headOf('PATCH', await hosting.begin(), blob.body.length));
    const dripping = setInterval(() => !slow.isOver && slow.say('x'), 100);
    try {
      expectError(await slow.hear({ deadline: 20_000 }), 408, 'REQUEST_INVALID');
      await slow.ended();
    } finally {
      clearInterval(dripping);
    }
  });

  it('of a manifest has --client-timeout for the whole body', async () => {
    await using hosting = await Hosting.start({ server: { clientTimeout: 2_000 } });
    const targets = [`${app}/manifests/1`, `${app}/tags/list`, '/v2/'];
    const started = performance.now();
    const all = targets.map(async (target, index) => {
      await using slow = await Conversation.open(hosting.url);
      slow.say(headOf(index === 0 ? 'PUT' : 'POST', target, 1000));
      const drip = setInterval(() => !slow.isOver && slow.say('x'), 500);
      await slow.hear({ deadline: 20_000 });
      await slow.ended(20_000);
      clearInterval(drip);
    });
    await Promise.all(all);
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  it('can go on slowly, if that is not too slow', async () => {
    await using hosting = await Hosting.start({ server: { clientTimeout: 2_000 } });
    const location = await hosting.begin();
    hosting.client.say(headOf('PATCH', location, blob.body.length));
    // Each pause is shorter than the timeout, all of them longer.
    for (let offset = 0; offset < blob.body.length; offset += 20_000) {
      hosting.client.say(blob.body.subarray(offset, offset + 20_000));
      await sleep(700);
    }
    expect(await hosting.client.hear()).toMatchObject({ status: 202, headers: { range: '0-199999' } });
  });
});

describe.concurrent('many clients that stall', () => {
  it('starve neither pulls nor other pushes', { timeout: 90_000 }, async () => {
    await using hosting = await Hosting.start({ server: { clientTimeout: 60_000, maxUploads: 64 } });
    await hosting.pushImage(image, '1');
    const stalled = await Promise.all(
      Array.from({ length: 64 }, async () => {
        const client = await Conversation.open(hosting.url);
        const { headers } = await client.ask('POST', `${app}/blobs/uploads/`, { body: '' });
        client.say(headOf('PATCH', headers.location!, 1_000_000));
        client.say(half);
        return client;
      }),
    );
    await sleep(500);
    for (let round = 0; round < 20; round += 1) {
      const started = performance.now();
      expect((await hosting.ask('GET', `${app}/manifests/1`)).status).toBe(200);
      expect((await hosting.ask('GET', `${app}/blobs/${image.layers[0]!.digest}`)).status).toBe(200);
      expect(performance.now() - started).toBeLessThan(5_000);
    }
    // A manifest and a session need no slot; a body waits for one, and is told to come back.
    const { body, mediaType } = image.manifest;
    const push = { body, headers: [`content-type: ${mediaType}`] };
    expect((await hosting.ask('PUT', `${app}/manifests/2`, push)).status).toBe(201);
    const refused = await hosting.ask('PATCH', await hosting.begin(), { body: half });
    expectError(refused, 429, 'UNAVAILABLE');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    for (const client of stalled) client.leave();
    await until('a slot is free', async () => {
      const { status } = await hosting.ask('PATCH', await hosting.begin(), { body: half });
      return status === 202;
    });
  });
});

describe('a manifest', () => {
  it('may take longer than 30 s only if --client-timeout says so', () => {
    vi.useFakeTimers();
    try {
      const cut: number[] = [];
      const bodyWith = (timeout: number) => {
        const request = new IncomingMessage(new Socket());
        const body = new IncomingBody(request, new ServerResponse(request), timeout, () => cut.push(timeout));
        return { body, [Symbol.dispose]: () => request.destroy() };
      };
      using manifest = bodyWith(120_000);
      using other = bodyWith(60_000);
      manifest.body.extend();
      vi.advanceTimersByTime(31_000);
      expect(cut).toEqual([60_000]);
      vi.advanceTimersByTime(90_000);
      expect(cut).toEqual([60_000, 120_000]);
      expect(other.body.received).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});
