import { hash as bcrypt } from 'bcryptjs';
import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { Folder } from '../support/folder.js';
import { delivered, notifying, put, smallImage } from './support/notifying.js';
import { Receiver } from './support/receiver.js';

const rfc3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const agent = 'user-agent: docker/27.3.1 go/1.22';

describe('the envelope of distribution', () => {
  it('has its fields, in its order, for a push', async () => {
    await using receiver = await Receiver.start();
    await using hosting = await notifying(receiver.url);
    const image = smallImage('a');
    await hosting.pushImage(image, 'v0');
    await delivered(hosting);
    const { host } = new URL(hosting.url);
    const { status } = await hosting.ask('PUT', '/v2/local/app/manifests/v1', {
      body: image.manifest.body,
      headers: [`host: ${host}`, `content-type: ${image.manifest.mediaType}`, agent, 'x-request-id: push-1'],
    });
    expect(status).toBe(201);
    await receiver.until(2);
    const [, { method, url, headers, body } = { method: '', url: '', headers: {}, body: '' }] = receiver.received;
    expect([method, url, headers['content-type']]).toEqual([
      'POST',
      '/hook',
      'application/vnd.docker.distribution.events.v2+json',
    ]);
    expect(headers['content-length']).toBe(String(Buffer.byteLength(body)));
    const envelope = JSON.parse(body) as { events: [Record<string, unknown>] };
    // notifications/event_test.go of distribution, TestEventEnvelopeJSONFormat.
    expect(envelope).toEqual({
      events: [
        {
          id: expect.stringMatching(uuid) as string,
          timestamp: expect.stringMatching(rfc3339) as string,
          action: 'push',
          target: {
            mediaType: image.manifest.mediaType,
            digest: image.manifest.digest,
            size: image.manifest.body.length,
            length: image.manifest.body.length,
            repository: 'local/app',
            url: `${hosting.url}/v2/local/app/manifests/${image.manifest.digest}`,
            tag: 'v1',
          },
          request: {
            id: 'push-1',
            addr: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
            host,
            method: 'PUT',
            useragent: 'docker/27.3.1 go/1.22',
          },
          actor: {},
          source: { addr: `${hostname()}:8080`, instanceID: expect.stringMatching(uuid) as string },
        },
      ],
    });
    expect(Object.keys(envelope.events[0])).toEqual('id timestamp action target request actor source'.split(' '));
    const target = envelope.events[0].target as object;
    expect(Object.keys(target)).toEqual('mediaType digest size length repository url tag'.split(' '));
    // What it links to is what was pushed.
    const link = await fetch((target as { url: string }).url);
    expect(Buffer.from(await link.arrayBuffer())).toEqual(image.manifest.body);
  });

  it('names who pushed, and the repository as clients of the host name it', async () => {
    await using folder = await Folder.make();
    await writeFile(folder.file('htpasswd'), `anna:${await bcrypt('planted', 4)}\n`);
    await using receiver = await Receiver.start();
    const rules = "rules: [{ repositories: ['**'], who: ['user:anna'], may: [push] }]";
    await using hosting = await notifying(receiver.url, [], {
      hosted: [{ namespace: 'registry.example.com' }],
      access: `users_file: ${folder.file('htpasswd')}\n${rules}`,
    });
    const image = smallImage('a');
    const headers = [
      'host: registry.example.com',
      `authorization: Basic ${Buffer.from('anna:planted').toString('base64')}`,
    ];
    for (const { digest, body } of [image.config, ...image.layers])
      await hosting.ask('POST', `/v2/team/app/blobs/uploads/?digest=${digest}`, { body, headers });
    const type = `content-type: ${image.manifest.mediaType}`;
    await hosting.ask('PUT', '/v2/team/app/manifests/v1', { body: image.manifest.body, headers: [...headers, type] });
    await receiver.until(1);
    const [event] = receiver.events;
    expect(event).toMatchObject({
      actor: { name: 'user:anna' },
      request: { host: 'registry.example.com' },
      target: {
        repository: 'team/app',
        url: `http://registry.example.com/v2/team/app/manifests/${image.manifest.digest}`,
      },
    });
    for (const text of [receiver.received[0]?.body, hosting.mirror.log]) expect(text).not.toContain('planted');
  });
});

describe('CloudEvents', () => {
  it('are sent in structured mode, with a type for each thing that happens', async () => {
    await using receiver = await Receiver.start();
    await using hosting = await notifying(receiver.url, ['format: cloudevents', 'events: push, pull, delete, mount']);
    const image = smallImage('a');
    await hosting.pushImage(image, 'v1');
    await hosting.ask('GET', '/v2/local/app/manifests/v1');
    const [layer] = image.layers;
    await hosting.ask('POST', `/v2/local/copy/blobs/uploads/?mount=${layer?.digest}&from=local/app`, { body: '' });
    await hosting.ask('DELETE', `/v2/local/copy/blobs/${layer?.digest}`);
    await hosting.ask('DELETE', `/v2/local/app/manifests/v1`);
    await put(hosting, image, image.manifest.digest);
    await hosting.ask('DELETE', `/v2/local/app/manifests/${image.manifest.digest}`);
    await receiver.until(7);
    const events = receiver.received.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    const types = events.map(({ type, subject }) => [type, subject]).sort();
    expect(types).toEqual(
      [
        ['oci-registry.manifest.pushed', 'local/app:v1'],
        ['oci-registry.manifest.pulled', 'local/app:v1'],
        ['oci-registry.blob.mounted', `local/copy@${layer?.digest}`],
        ['oci-registry.blob.deleted', `local/copy@${layer?.digest}`],
        ['oci-registry.tag.deleted', 'local/app:v1'],
        ['oci-registry.manifest.pushed', `local/app@${image.manifest.digest}`],
        ['oci-registry.manifest.deleted', `local/app@${image.manifest.digest}`],
      ].sort(),
    );
    expect(receiver.received[0]?.headers['content-type']).toBe('application/cloudevents+json; charset=utf-8');
    const push = events.find(({ type }) => type === 'oci-registry.manifest.pushed');
    expect(push).toEqual({
      specversion: '1.0',
      id: expect.stringMatching(uuid) as string,
      source: `//${hostname()}:8080`,
      type: 'oci-registry.manifest.pushed',
      subject: 'local/app:v1',
      time: expect.stringMatching(rfc3339) as string,
      datacontenttype: 'application/json',
      data: {
        repository: 'local/app',
        digest: image.manifest.digest,
        tag: 'v1',
        mediaType: image.manifest.mediaType,
        size: image.manifest.body.length,
        url: `http://registry.test/v2/local/app/manifests/${image.manifest.digest}`,
        request: expect.objectContaining({ method: 'PUT' }) as object,
        instance: expect.stringMatching(uuid) as string,
      },
    });
    const mount = events.find(({ type }) => type === 'oci-registry.blob.mounted') as { data: object };
    expect(mount.data).toMatchObject({ fromRepository: 'local/app', size: 64, mediaType: 'application/octet-stream' });
  });
});
