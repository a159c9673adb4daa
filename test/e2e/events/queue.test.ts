import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { SweepService } from '../../../src/registry/eviction/sweep.service.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { ageBy, LaterClock } from '../hosted/support/ageing.js';
import { Conversation } from '../push/support/conversation.js';
import { Folder } from '../support/folder.js';
import { build, Program } from '../support/program.js';
import { until } from '../support/until.js';
import { delivered, notifying, put, smallImage, statisticsOf } from './support/notifying.js';
import { Receiver, type SentEvent } from './support/receiver.js';

async function queuedFiles(root: string): Promise<string[]> {
  const files = await readdir(join(root, 'events'), { recursive: true });
  return files.filter((file) => file.endsWith('.json')).map((file) => join(root, 'events', file));
}

const seen = (events: readonly SentEvent[]) => events.map(({ action, target }) => `${action} ${String(target.tag)}`);

describe('the queue', () => {
  beforeAll(build, 180_000);

  it('has every acknowledged push after kill -9, and the next process sends it', async () => {
    await using folder = await Folder.make();
    await using receiver = await Receiver.start();
    await receiver.stop();
    await writeFile(folder.file('webhooks.yaml'), `- { name: ci, url: '${receiver.url}' }`);
    const flags = ['--listen', '127.0.0.1:0', '--hosted-namespace', 'local', '--allow-anonymous-push'];
    const args = [...flags, '--webhooks-file', folder.file('webhooks.yaml'), 'filesystem', '--root', folder.file('s')];
    const image = smallImage('a');
    const tags = Array.from({ length: 10 }, (_, index) => `v${index}`);
    {
      await using program = await Program.start(args);
      await using client = await Conversation.open(program.url);
      for (const { digest, body } of [image.config, ...image.layers])
        await client.ask('POST', `/v2/local/app/blobs/uploads/?digest=${digest}`, { body });
      const headers = [`content-type: ${image.manifest.mediaType}`];
      for (const tag of tags) {
        const { status } = await client.ask('PUT', `/v2/local/app/manifests/${tag}`, {
          body: image.manifest.body,
          headers,
        });
        expect(status).toBe(201);
      }
      program.kill('SIGKILL');
      await program.end;
    }
    const files = await queuedFiles(folder.file('s'));
    expect(files).toHaveLength(10);
    expect((await stat(files[0]!)).mode & 0o077).toBe(0);
    // One that was not written to its end: its name says how long it has to be.
    await writeFile(files[9]!, '{"id":"torn');
    await receiver.start();
    await using program = await Program.start(args);
    await receiver.until(9);
    await until('the torn one is dropped', async () => (await queuedFiles(folder.file('s'))).length === 0);
    program.kill('SIGTERM');
    expect((await program.end).code).toBe(0);
    expect(seen(receiver.events)).toEqual(tags.slice(0, 9).map((tag) => `push ${tag}`));
    expect(await readdir(join(folder.file('s'), 'events'))).toEqual([]);
  });

  it('drops and counts what does not fit, and the push succeeds', async () => {
    await using receiver = await Receiver.start();
    receiver.answer = () => 'hang';
    await using hosting = await notifying(receiver.url, ['max_queued_events: 3', 'events: push, pull']);
    const image = smallImage('a');
    await hosting.pushImage(image, 'v1');
    expect(await put(hosting, image, 'v2')).toBe(201);
    // Half of the queue is kept for pushes.
    for (let pull = 0; pull < 5; pull += 1) await hosting.ask('GET', '/v2/local/app/manifests/v1');
    expect(statisticsOf(hosting)).toMatchObject({ queued: 2, counts: { dropped: { full: 5 } } });
    expect(await put(hosting, image, 'v3')).toBe(201);
    expect(await put(hosting, image, 'v4')).toBe(201);
    expect(statisticsOf(hosting)).toMatchObject({ queued: 3, counts: { dropped: { full: 6 } } });
    expect(statisticsOf(hosting).oldest).toBeGreaterThan(0);
    expect(hosting.mirror.log).toContain('an event for ci was dropped: its queue is full');
    await hosting.mirror.stop();
  });

  it('that cannot be written drops events, and the push succeeds', async () => {
    await using folder = await Folder.make();
    await using receiver = await Receiver.start();
    await writeFile(folder.file('file'), '');
    const webhooksQueue = folder.file('file/queue');
    await using hosting = await notifying(receiver.url, [], { server: { webhooksQueue } });
    expect((await hosting.pushImage(smallImage('a'), 'v1')).status).toBe(201);
    expect(statisticsOf(hosting).counts.dropped).toEqual({ full: 0, storage: 1, expired: 0 });
    expect(hosting.mirror.log).toContain(`events cannot be kept in ${webhooksQueue}`);
  });

  it('goes from one server to the next in the same process', async () => {
    await using folder = await Folder.make();
    await using receiver = await Receiver.start();
    receiver.answer = () => 500;
    const webhooksQueue = folder.file('queue');
    {
      await using hosting = await notifying(receiver.url, [], { server: { webhooksQueue } });
      await hosting.pushImage(smallImage('a'), 'v1');
      await receiver.until(1);
    }
    receiver.answer = () => 200;
    await using hosting = await notifying(receiver.url, [], { server: { webhooksQueue } });
    await until('it is sent', () => statisticsOf(hosting).counts.delivered === 1);
    expect(new Set(receiver.events.map(({ id }) => id)).size).toBe(1);
  });
});

describe('a webhook is told', () => {
  it('of the repositories that its patterns match, and of pulls if it wants, from memory too', async () => {
    await using receiver = await Receiver.start();
    await using hosting = await notifying(receiver.url, ["repositories: ['local/team/*']", 'events: [pull]']);
    const image = smallImage('a');
    for (const repository of ['local/team/app', 'local/other']) await hosting.pushImage(image, 'v1', repository);
    for (let pull = 0; pull < 3; pull += 1) {
      await hosting.ask('GET', '/v2/local/team/app/manifests/v1');
      await hosting.ask('HEAD', '/v2/local/team/app/manifests/v1');
      await hosting.ask('GET', '/v2/local/other/manifests/v1');
    }
    await hosting.ask('GET', `/v2/local/team/app/manifests/${image.manifest.digest}`);
    await receiver.until(4);
    await delivered(hosting);
    expect(receiver.events.map(({ action, target, request }) => [action, target.repository, request.method])).toEqual(
      Array(4).fill(['pull', 'local/team/app', 'GET']),
    );
    expect(seen(receiver.events)).toEqual(['pull v1', 'pull v1', 'pull v1', 'pull undefined']);
  });

  it('of pulls from mirrored repositories, and of what is evicted or collected as garbage', async () => {
    await using receiver = await Receiver.start();
    await using upstream = await FakeRegistry.start();
    const image = smallImage('a');
    upstream.addImage('team/app', image, ['v1']);
    const clock = new LaterClock();
    await using hosting = await notifying(receiver.url, ['events: pull, evict'], {
      clock,
      upstreams: [{ namespace: 'mirrored.test', host: upstream.host, unusedContentTtl: 3_600_000 }],
    });
    const [layer] = image.layers;
    await hosting.ask('GET', '/v2/mirrored.test/team/app/manifests/v1');
    await hosting.ask('GET', `/v2/mirrored.test/team/app/blobs/${layer!.digest}`);
    await hosting.pushBlob(smallImage('b').layers[0]!);
    await hosting.mirror.settled();
    await ageBy(hosting.mirror.root, 48);
    clock.pass(2);
    await hosting.mirror.app.get(SweepService).run();
    await receiver.until(4);
    await delivered(hosting);
    const what = receiver.events.map(
      ({ action, target }) => `${action} ${String(target.repository)} ${String(target.digest)}`,
    );
    expect(what.sort()).toEqual(
      [
        `pull mirrored.test/team/app ${image.manifest.digest}`,
        `evict mirrored.test/team/app ${image.manifest.digest}`,
        `evict mirrored.test/team/app ${layer!.digest}`,
        `evict local/app ${smallImage('b').layers[0]!.digest}`,
      ].sort(),
    );
  });
});
