import { EventEmitter, once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { HostedBlobsService } from '../../../src/registry/hosted/hosted-blobs.service.js';
import { OpenSessions } from '../../../src/registry/hosted/open.sessions.js';
import { StorageError } from '../../../src/storage/storage-error.js';
import { makeBlob } from '../../fixtures/images.js';
import { expectError } from '../support/error-document.js';
import { Conversation } from './support/conversation.js';
import { Hosting, withQuery } from './support/hosting.js';
import { headOf } from './support/partial.js';

const server = { advertiseUrl: 'http://127.0.0.1:1' };
const blob = makeBlob(3_000, 'takeover');
const [first, rest] = [blob.body.subarray(0, 1_000), blob.body.subarray(1_000)];
const app = '/v2/local/app';
const final = (location: string, digest = blob.digest) => withQuery(location, `digest=${digest}`);

/** Two replicas on one folder. */
async function onReplicas(test: (one: Hosting, other: Hosting) => Promise<void>): Promise<void> {
  await using one = await Hosting.start({ server });
  await using other = await Hosting.start({ server, root: one.mirror.root });
  await test(one, other);
  expect((await one.ask('GET', `${app}/blobs/${blob.digest}`)).body.equals(blob.body)).toBe(true);
  // Each may have kept a session for a request that went to the other.
  for (const { mirror } of [one, other]) await mirror.app.get(OpenSessions, { strict: false }).onApplicationShutdown();
}

describe('a PUT whose response was lost', () => {
  it.each([
    ['with the last bytes', rest],
    ['without a body', ''],
  ])('%s is acknowledged again, at the same replica and at the other', (_name, body) =>
    onReplicas(async (one, other) => {
      const patched = await one.ask('PATCH', await one.begin(), { body: body === '' ? blob.body : first });
      const target = final(patched.headers.location!);
      const acknowledged = await other.ask('PUT', target, { body });
      expect(acknowledged.status).toBe(201);
      for (const replica of [other, one]) {
        const { status, headers } = await replica.ask('PUT', target, { body });
        expect([status, headers.location]).toEqual([201, acknowledged.headers.location]);
        expect(headers['docker-content-digest']).toBe(blob.digest);
      }
    }),
  );

  it('is acknowledged again with all bytes, as containerd sends it', () =>
    onReplicas(async (one, other) => {
      const target = final(await one.begin());
      for (const replica of [one, other, one, other])
        expect(await replica.ask('PUT', target, { body: [blob.body] })).toMatchObject({ status: 201 });
    }));

  it('is unknown for what the repository does not have, and for a session that goes on elsewhere', () =>
    onReplicas(async (one, other) => {
      await one.pushBlob(blob);
      const gone = `${app}/blobs/uploads/${'f'.repeat(32)}`;
      const unknown = makeBlob(10, 'unknown').digest;
      expectError(await other.ask('PUT', final(gone, unknown), { body: '' }), 404, 'BLOB_UPLOAD_UNKNOWN');
      const longer = Buffer.concat([blob.body, first]);
      expectError(await other.ask('PUT', final(gone), { body: longer }), 404, 'BLOB_UPLOAD_UNKNOWN');
      const elsewhere = (await one.begin('local/else')).replace('/else/', '/app/');
      expectError(await other.ask('PUT', final(elsewhere), { body: '' }), 404, 'BLOB_UPLOAD_UNKNOWN');
    }));
});

describe('a final PUT that is repeated before the first one has ended', () => {
  afterEach(() => vi.restoreAllMocks());

  const blobsOf = ({ mirror }: Hosting) => mirror.app.get(HostedBlobsService, { strict: false });
  const bodies = [
    ['with the last bytes', rest],
    ['without a body', ''],
  ] as const;

  /** Begins the first PUT at a replica, which stops when the content is stored. */
  async function stopFirst(one: Hosting, body: Buffer | ''): Promise<{ target: string; goOn: () => Promise<number> }> {
    const patched = await one.ask('PATCH', await one.begin(), { body: body === '' ? blob.body : first });
    const target = final(patched.headers.location!);
    const blobs = blobsOf(one);
    const add = blobs.add.bind(blobs);
    const gate = new EventEmitter();
    vi.spyOn(blobs, 'add').mockImplementationOnce(async (...args) => {
      const opened = once(gate, 'open');
      await args[3];
      gate.emit('reached');
      await opened;
      return add(...args);
    });
    const reached = once(gate, 'reached');
    const put = one.ask('PUT', target, { body });
    await reached;
    const goOn = async () => {
      gate.emit('open');
      return (await put).status;
    };
    return { target, goOn };
  }

  it.each(bodies)('%s at the same replica waits for it', (_name, body) =>
    onReplicas(async (one) => {
      const { target, goOn } = await stopFirst(one, body);
      await using client = await Conversation.open(one.url);
      const repeated = client.ask('PUT', target, { body });
      await sleep(200);
      expect(await goOn()).toBe(201);
      expect(await repeated).toMatchObject({ status: 201, headers: { 'docker-content-digest': blob.digest } });
    }),
  );

  it.each(bodies)('%s at another replica completes the upload, and both are acknowledged', (_name, body) =>
    onReplicas(async (one, other) => {
      const { target, goOn } = await stopFirst(one, body);
      expect((await other.ask('PUT', target, { body })).status).toBe(201);
      expect(await goOn()).toBe(201);
    }),
  );

  it.each(bodies)('%s completes the upload when the first one could not record the blob', (_name, body) =>
    onReplicas(async (one, other) => {
      const patched = await one.ask('PATCH', await one.begin(), { body: body === '' ? blob.body : first });
      const target = final(patched.headers.location!);
      vi.spyOn(blobsOf(one), 'add').mockRejectedValueOnce(new StorageError('failed', 'planned'));
      expectError(await one.ask('PUT', target, { body }), 503, 'UNAVAILABLE');
      for (const replica of [other, one])
        expect(await replica.ask('GET', target)).toMatchObject({ status: 204, headers: { range: '0-2999' } });
      expect((await other.ask('PUT', target, { body })).status).toBe(201);
      expectError(await one.ask('GET', target), 404, 'BLOB_UPLOAD_UNKNOWN');
    }),
  );

  it('is unknown when the content has gone since, and so is the session', () =>
    onReplicas(async (one, other) => {
      const patched = await one.ask('PATCH', await one.begin(), { body: blob.body });
      const target = final(patched.headers.location!);
      vi.spyOn(blobsOf(one), 'add').mockRejectedValueOnce(new StorageError('failed', 'planned'));
      expectError(await one.ask('PUT', target, { body: '' }), 503, 'UNAVAILABLE');
      const hex = blob.digest.slice('sha256:'.length);
      await rm(join(one.mirror.root, 'blobs/sha256', hex.slice(0, 2), hex));
      expectError(await other.ask('GET', target), 404, 'BLOB_UPLOAD_UNKNOWN');
      expectError(await other.ask('PUT', target, { body: '' }), 404, 'BLOB_UPLOAD_UNKNOWN');
      await one.pushBlob(blob);
    }));
});

describe('a client that goes on with the first Location although another replica has responded since', () => {
  it('appends where the session stands, and ends it', () =>
    onReplicas(async (one, other) => {
      const location = await one.begin();
      expect((await other.ask('PATCH', location, { body: first })).status).toBe(202);
      const headers = [`content-range: 1000-2999`];
      expect(await one.ask('PATCH', location, { body: rest, headers })).toMatchObject({
        status: 202,
        headers: { range: '0-2999' },
      });
      expect((await one.ask('PUT', final(location), { body: '' })).status).toBe(201);
    }));

  it('ends the session where it has not been since it began', () =>
    onReplicas(async (one, other) => {
      const location = await one.begin();
      expect((await other.ask('PATCH', location, { body: blob.body })).status).toBe(202);
      expect((await one.ask('PUT', final(location), { body: '' })).status).toBe(201);
    }));

  it('is refused a chunk that does not begin where the session stands', () =>
    onReplicas(async (one, other) => {
      const location = await one.begin();
      await other.ask('PATCH', location, { body: first });
      const headers = ['content-range: 5-2004'];
      const refused = await one.ask('PATCH', location, { body: rest, headers });
      expect(refused).toMatchObject({ status: 416, headers: { range: '0-999' } });
      const { headers: place } = await one.ask('PATCH', refused.headers.location!, { body: rest });
      expect((await other.ask('PUT', final(place.location!), { body: '' })).status).toBe(201);
    }));

  it('keeps what the session has when its last bytes come to where it began', () =>
    onReplicas(async (one, other) => {
      const location = await one.begin();
      await other.ask('PATCH', location, { body: first });
      // These bytes alone have another digest.
      expectError(await one.ask('PUT', final(location), { body: rest }), 503, 'UNAVAILABLE');
      const { headers } = await one.ask('GET', location);
      expect(headers.range).toBe('0-999');
      expect((await one.ask('PUT', final(headers.location!), { body: rest })).status).toBe(201);
    }));

  it('cancels all of it', () =>
    onReplicas(async (one, other) => {
      const location = await one.begin();
      const { headers } = await other.ask('PATCH', location, { body: first });
      expect((await one.ask('DELETE', location)).status).toBe(204);
      expectError(await other.ask('GET', headers.location!), 404, 'BLOB_UPLOAD_UNKNOWN');
      await one.pushBlob(blob);
    }));

  it.each(['DELETE', 'PUT'])('is told that the session has ended when %s ended it at another replica', (method) =>
    onReplicas(async (one, other) => {
      const location = await one.begin();
      const [target, body] = method === 'PUT' ? [final(location), blob.body] : [location, ''];
      expect((await other.ask(method, target, { body })).status).toBeLessThan(300);
      expectError(await one.ask('PATCH', location, { body: first }), 404, 'BLOB_UPLOAD_UNKNOWN');
      await one.pushBlob(blob);
    }),
  );
});

describe('a session that a request at another replica still has', () => {
  it('goes on here, and the other request is refused', () =>
    onReplicas(async (one, other) => {
      const location = await one.begin();
      await using hanging = await Conversation.open(one.url);
      hanging.say(headOf('PATCH', location, blob.body.length));
      hanging.say(blob.body.subarray(0, 2_000));
      const status = await other.ask('GET', location);
      expect(status).toMatchObject({ status: 204, headers: { range: '0-0' } });
      const patched = await other.ask('PATCH', status.headers.location!, { body: first });
      expect(patched.status).toBe(202);
      hanging.say(blob.body.subarray(2_000));
      expect(await hanging.hear()).toMatchObject({ status: 503 });
      const put = await one.ask('PUT', final(patched.headers.location!), { body: rest });
      expect(put.status).toBe(201);
    }));
});
