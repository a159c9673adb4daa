import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { ForwardProxy } from '../../fakes/forward-proxy.js';
import { Folder } from '../support/folder.js';
import { writeKeyPair } from '../support/key-pair.js';
import { until } from '../support/until.js';
import { delivered, notifying, put, smallImage, statisticsOf } from './support/notifying.js';
import { Receiver, type Answer } from './support/receiver.js';

const tagOf = (body: string) => (JSON.parse(body) as { events: [{ target: { tag: string } }] }).events[0].target.tag;

describe('an event is sent again, as the same one,', () => {
  it('after whatever is no 2xx in time', async () => {
    const redirect = { status: 302, headers: { location: 'http://127.0.0.1:1/elsewhere' } };
    const answers: readonly Answer[] = [500, 404, redirect, 'close', 'hang'];
    const ids = new Map<string, string[]>();
    await using receiver = await Receiver.start();
    receiver.answer = () => {
      const { id, target } = receiver.events.at(-1)!;
      const index = Number(String(target.repository).replace('local/app', ''));
      const before = ids.get(String(target.repository)) ?? [];
      ids.set(String(target.repository), [...before, id]);
      return before.length < 2 ? answers[index]! : 204;
    };
    await using hosting = await notifying(receiver.url, ['timeout: 200ms']);
    const image = smallImage('a');
    for (const index of answers.keys()) await hosting.pushImage(image, 'v1', `local/app${index}`);
    await receiver.until(15);
    await delivered(hosting);
    expect(ids.size).toBe(5);
    for (const [repository, same] of ids)
      expect([repository, same.length, new Set(same).size]).toEqual([repository, 3, 1]);
    expect(statisticsOf(hosting).counts).toMatchObject({ delivered: 5, failed: 10 });
    expect(hosting.mirror.log).toContain('ci does not accept events');
    expect(hosting.mirror.log).toMatch(/ci accepts events again, after \d+ failed requests/);
    expect(hosting.mirror.log).not.toContain(new URL(receiver.url).port);
  });

  it('not before Retry-After', async () => {
    await using receiver = await Receiver.start();
    receiver.answer = (_, count) => (count === 0 ? { status: 503, headers: { 'retry-after': '1' } } : 200);
    await using hosting = await notifying(receiver.url);
    await hosting.pushImage(smallImage('a'), 'v1');
    await receiver.until(2);
    const [one, other] = receiver.received.map(({ at }) => at);
    expect((other ?? 0) - (one ?? 0)).toBeGreaterThanOrEqual(990);
  });

  it('until it is too old, and is then dropped and counted', async () => {
    await using receiver = await Receiver.start();
    receiver.answer = () => 500;
    await using hosting = await notifying(receiver.url, ['retry_for: 300ms']);
    await hosting.pushImage(smallImage('a'), 'v1');
    await delivered(hosting);
    expect(statisticsOf(hosting).counts.dropped).toEqual({ full: 0, storage: 0, expired: 1 });
    expect(receiver.received.length).toBeGreaterThan(1);
    expect(hosting.mirror.log).toContain('an event for ci was dropped: it was too old');
    const { text } = await hosting.mirror.request.get('/metrics');
    expect(text).toContain('oci_registry_webhook_dropped_events_total{webhook="ci",reason="expired"} 1');
    expect(text).toMatch(/oci_registry_webhook_requests_total\{webhook="ci",result="failed"\} \d/);
    expect(text).toContain('oci_registry_webhook_queued_events{webhook="ci"} 0');
    expect(text).toContain('oci_registry_webhook_oldest_event_seconds{webhook="ci"} 0');
  });
});

describe('the order', () => {
  it('of the events of a repository stays, while another repository goes on', async () => {
    await using receiver = await Receiver.start();
    const failed = new Set<string>();
    receiver.answer = ({ body }) => {
      const isFirst = body.includes('local/app') && failed.size < 2;
      if (isFirst) failed.add(body + String(failed.size));
      return isFirst ? 500 : { status: 200, after: 5 };
    };
    await using hosting = await notifying(receiver.url);
    const image = smallImage('a');
    await hosting.pushImage(image, 'v0');
    await hosting.pushImage(image, 'w0', 'local/other');
    const tags = Array.from({ length: 12 }, (_, index) => index + 1);
    for (const tag of tags) {
      await put(hosting, image, `v${tag}`);
      await put(hosting, image, `w${tag}`, 'local/other');
    }
    await delivered(hosting);
    const sent = receiver.received.map(({ body }) => tagOf(body));
    expect(sent.filter((tag) => tag.startsWith('v'))).toEqual(['v0', 'v0', 'v0', ...tags.map((tag) => `v${tag}`)]);
    expect(sent.filter((tag) => tag.startsWith('w'))).toEqual([0, ...tags].map((tag) => `w${tag}`));
    expect(sent.indexOf('w1')).toBeLessThan(sent.indexOf('v1'));
  });

  it('of tags is that of the request, with one event for each of them', async () => {
    await using receiver = await Receiver.start();
    await using hosting = await notifying(receiver.url);
    const image = smallImage('a');
    await hosting.pushImage(image, 'v1?tag=v2&tag=v3&tag=v2');
    await receiver.until(3);
    await put(hosting, image, image.manifest.digest);
    await hosting.ask('DELETE', `/v2/local/app/manifests/${image.manifest.digest}`);
    await receiver.until(8);
    const seen = receiver.events.map(({ action, target }) => [action, target.tag ?? target.digest]);
    const { digest } = image.manifest;
    expect(seen.slice(0, 5)).toEqual([
      ['push', 'v1'],
      ['push', 'v2'],
      ['push', 'v3'],
      ['push', digest],
      ['delete', digest],
    ]);
    expect(seen.slice(5).sort()).toEqual([
      ['delete', 'v1'],
      ['delete', 'v2'],
      ['delete', 'v3'],
    ]);
    expect(new Set(receiver.events.map(({ id }) => id)).size).toBe(8);
  });
});

describe('a receiver', () => {
  it('that never ends its response costs no more than the limit, and counts', async () => {
    await using receiver = await Receiver.start();
    receiver.answer = () => 'huge';
    await using hosting = await notifying(receiver.url);
    await hosting.pushImage(smallImage('a'), 'v1');
    await receiver.until(1);
    await delivered(hosting);
    expect(statisticsOf(hosting).counts).toMatchObject({ delivered: 1, failed: 0 });
  });

  it('that hangs makes no push wait, and gets 8 requests at a time at most', async () => {
    await using receiver = await Receiver.start();
    receiver.answer = () => 'hang';
    await using hosting = await notifying(receiver.url);
    const image = smallImage('a');
    const times: number[] = [];
    for (let count = 0; count < 20; count += 1) {
      for (const { digest, body } of [image.config, ...image.layers])
        await hosting.ask('POST', `/v2/local/app${count}/blobs/uploads/?digest=${digest}`, { body });
      const begin = performance.now();
      expect(await put(hosting, image, 'v1', `local/app${count}`)).toBe(201);
      times.push(performance.now() - begin);
    }
    await receiver.until(8);
    expect(receiver.mostAtOnce).toBe(8);
    // The timeout is 10 s: a push that waited for the receiver would show.
    expect(Math.max(...times)).toBeLessThan(5_000);
    const begin = performance.now();
    await hosting.mirror.stop();
    expect(performance.now() - begin).toBeLessThan(8_000);
    expect(await queuedFiles(hosting.mirror.root)).toHaveLength(20);
  });

  it('with a private CA and a token is trusted and told, and nobody else sees the token', async () => {
    await using folder = await Folder.make();
    const { cert, key, server } = await writeKeyPair(folder);
    await using receiver = await Receiver.start({ cert, key });
    receiver.answer = (_, count) => (count === 0 ? 401 : 200);
    await using hosting = await notifying(receiver.url, [
      `ca_file: ${server.tlsCert}`,
      'token: planted-token',
      'headers: { X-Key: planted-header }',
    ]);
    await hosting.pushImage(smallImage('a'), 'v1');
    await receiver.until(2);
    await delivered(hosting);
    const { headers } = receiver.received[0]!;
    expect(headers).toMatchObject({ authorization: 'Bearer planted-token', 'x-key': 'planted-header' });
    expect(headers['user-agent']).toMatch(/^oci-registry\//);
    expect(receiver.connections).toBe(1);
    expect(hosting.mirror.log).not.toContain('planted');
    expect(receiver.received.map(({ body }) => body).join('')).not.toContain('planted');
  });

  it('behind a proxy is reached through it', async () => {
    await using receiver = await Receiver.start();
    await using proxy = await ForwardProxy.start({ hosts: { 'hooks.test': '127.0.0.1' } });
    vi.stubEnv('HTTP_PROXY', proxy.url);
    try {
      const url = receiver.url.replace('127.0.0.1', 'hooks.test');
      await using hosting = await notifying(url);
      await hosting.pushImage(smallImage('a'), 'v1');
      await receiver.until(1);
      expect(proxy.asked).toEqual([`POST ${url}`]);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('with a certificate that is not trusted gets nothing', async () => {
    await using folder = await Folder.make();
    const { cert, key } = await writeKeyPair(folder);
    await using receiver = await Receiver.start({ cert, key });
    await using hosting = await notifying(receiver.url);
    await hosting.pushImage(smallImage('a'), 'v1');
    await until('it failed', () => statisticsOf(hosting).counts.failed > 0);
    expect(receiver.received).toEqual([]);
    expect(hosting.mirror.log).toMatch(/ci does not accept events \(its certificate is self-signed/);
  });
});

async function queuedFiles(root: string): Promise<string[]> {
  const files = await readdir(join(root, 'events'), { recursive: true });
  return files.filter((file) => file.endsWith('.json'));
}
