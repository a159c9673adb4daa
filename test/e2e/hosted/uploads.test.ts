import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RepositoryRef } from '../../../src/oci/repository.js';
import type { PushBody } from '../../../src/registry/push.js';
import { RangeRefused } from '../../../src/registry/push.js';
import { app, bodyOf, digestOf, HostedRegistry, refusal } from './support/registry.js';

it('takes a blob in one request, in two, and in chunks, of either algorithm', async () => {
  await using registry = await HostedRegistry.start();
  const { uploads } = registry;
  const content = Buffer.from('a blob in chunks');
  await registry.pushBlob('one request');
  expect(await registry.readBlob(digestOf('one request'))).toEqual(Buffer.from('one request'));

  const whole = await uploads.begin(app);
  expect(whole).toMatchObject({ size: 0 });
  await uploads.complete(app, whole.id, whole.epoch, digestOf('two requests'), undefined, bodyOf('two ', 'requests'));
  expect(await registry.readBlob(digestOf('two requests'))).toEqual(Buffer.from('two requests'));

  for (const algorithm of ['sha256', 'sha512'] as const) {
    const { id, epoch } = await uploads.begin(app);
    const first = await uploads.append(app, id, epoch, { start: 0, end: 5 }, bodyOf(content.subarray(0, 6)));
    expect(first).toMatchObject({ id, size: 6 });
    expect(await uploads.append(app, id, first.epoch, undefined, bodyOf(content.subarray(6, 10)))).toMatchObject({
      size: 10,
    });
    const digest = digestOf(content, algorithm);
    await uploads.complete(
      app,
      id,
      first.epoch,
      digest,
      { start: 10, end: content.length - 1 },
      bodyOf(content.subarray(10)),
    );
    expect(await registry.readBlob(digest)).toEqual(content);
    expect(await registry.blobs.head(app, digest)).toMatchObject({ size: content.length, cache: 'HIT' });
    expect(await refusal(uploads.status(app, id, epoch))).toBe('404 BLOB_UPLOAD_UNKNOWN');
  }
});

it('takes empty blobs', async () => {
  await using registry = await HostedRegistry.start();
  const { id, epoch } = await registry.uploads.begin(app);
  await registry.uploads.complete(app, id, epoch, digestOf(''), undefined, bodyOf());
  expect(await registry.readBlob(digestOf(''))).toEqual(Buffer.alloc(0));
});

it('refuses a chunk out of order before its body is read, and goes on afterwards', async () => {
  await using registry = await HostedRegistry.start();
  const { uploads } = registry;
  const { id, epoch } = await uploads.begin(app);
  const unread: PushBody = {
    length: 3,
    chunks: () => {
      throw new Error('the body was read');
    },
  };
  const early = await uploads.append(app, id, epoch, { start: 3, end: 5 }, unread).catch((error: unknown) => error);
  expect(early).toBeInstanceOf(RangeRefused);
  expect(early).toMatchObject({ status: 416, code: 'RANGE_INVALID', place: { id, size: 0 } });
  await uploads.append(app, id, epoch, { start: 0, end: 2 }, bodyOf('abc'));
  const put = uploads.complete(app, id, epoch, digestOf('abcdef'), { start: 4, end: 6 }, unread);
  expect(await put.catch((error: unknown) => error)).toMatchObject({ status: 416, place: { size: 3 } });
  expect(await uploads.status(app, id, epoch)).toMatchObject({ size: 3 });
  await uploads.complete(app, id, epoch, digestOf('abcdef'), { start: 3, end: 5 }, bodyOf('def'));
  expect(await registry.readBlob(digestOf('abcdef'))).toEqual(Buffer.from('abcdef'));
});

it('refuses bodies of another length than their range', async () => {
  await using registry = await HostedRegistry.start();
  const { uploads } = registry;
  const { id, epoch } = await uploads.begin(app);
  expect(await refusal(uploads.append(app, id, epoch, { start: 0, end: 1 }, bodyOf('abc')))).toBe('400 SIZE_INVALID');
  const unknown = { ...bodyOf('a', 'bc'), length: undefined };
  expect(await refusal(uploads.append(app, id, epoch, { start: 0, end: 1 }, unknown))).toBe('400 SIZE_INVALID');
  expect(await uploads.status(app, id, epoch)).toMatchObject({ size: 1 });
  expect(
    await refusal(uploads.append(app, id, epoch, { start: 1, end: 3 }, { ...bodyOf('b'), length: undefined })),
  ).toBe('400 SIZE_INVALID');
  await uploads.complete(app, id, epoch, digestOf('ab'), undefined, bodyOf());
});

it('refuses content of another digest, and leaves nothing of it', async () => {
  await using registry = await HostedRegistry.start();
  const { uploads } = registry;
  const wrong = digestOf('something else');
  expect(await refusal(uploads.single(app, wrong, bodyOf('content')))).toBe('400 DIGEST_INVALID');
  const whole = await uploads.begin(app);
  expect(await refusal(uploads.complete(app, whole.id, whole.epoch, wrong, undefined, bodyOf('content')))).toBe(
    '400 DIGEST_INVALID',
  );
  const chunked = await uploads.begin(app);
  await uploads.append(app, chunked.id, chunked.epoch, undefined, bodyOf('content'));
  expect(await refusal(uploads.complete(app, chunked.id, chunked.epoch, wrong, undefined, bodyOf()))).toBe(
    '400 DIGEST_INVALID',
  );
  for (const { id } of [whole, chunked]) expect(await refusal(uploads.status(app, id))).toBe('404 BLOB_UPLOAD_UNKNOWN');
  expect(await refusal(registry.blobs.head(app, wrong))).toBe('404 BLOB_UNKNOWN');
});

it('keeps what a client sent before it left, and goes on from there', async () => {
  await using registry = await HostedRegistry.start();
  const { uploads } = registry;
  const { id, epoch } = await uploads.begin(app);
  const cut: PushBody = {
    length: 6,
    async *chunks() {
      yield await Promise.resolve(Buffer.from('abc'));
      throw new Error('the client has left');
    },
  };
  await expect(uploads.append(app, id, epoch, undefined, cut)).rejects.toThrow('the client has left');
  expect(await uploads.status(app, id, epoch)).toMatchObject({ size: 3 });
  await uploads.append(app, id, epoch, { start: 3, end: 5 }, bodyOf('def'));
  await uploads.complete(app, id, epoch, digestOf('abcdef'), undefined, bodyOf());
});

it('lets a request take a session from one that hangs', async () => {
  await using registry = await HostedRegistry.start();
  const { uploads } = registry;
  const { id, epoch } = await uploads.begin(app);
  let taken: () => void = () => undefined;
  const isTaken = new Promise<void>((resolve) => (taken = resolve));
  const hanging: PushBody = {
    length: undefined,
    async *chunks() {
      yield await Promise.resolve(Buffer.from('abc'));
      taken();
      await new Promise(() => undefined);
    },
  };
  const hung = refusal(uploads.append(app, id, epoch, undefined, hanging));
  await isTaken;
  await uploads.append(app, id, epoch, { start: 3, end: 3 }, bodyOf('d'));
  expect(await hung).toBe('400 BLOB_UPLOAD_INVALID');
  await uploads.complete(app, id, epoch, digestOf('abcd'), undefined, bodyOf());
});

it('ends sessions that are cancelled, and knows none of another repository', async () => {
  await using registry = await HostedRegistry.start();
  const { uploads } = registry;
  const { id, epoch } = await uploads.begin(app);
  const other = RepositoryRef.parse('local/other');
  for (const attempt of [
    () => uploads.status(other, id, epoch),
    () => uploads.cancel(other, id, epoch),
    () => uploads.append(other, id, epoch, undefined, bodyOf('x')),
    () => uploads.complete(other, id, epoch, digestOf('x'), undefined, bodyOf('x')),
    () => uploads.status(app, 'f'.repeat(32)),
    () => uploads.status(app, '../../etc'),
  ])
    expect(await refusal(attempt())).toBe('404 BLOB_UPLOAD_UNKNOWN');
  await uploads.cancel(app, id, epoch);
  expect(await refusal(uploads.cancel(app, id, epoch))).toBe('404 BLOB_UPLOAD_UNKNOWN');
});

it('goes on with a session after a restart', async () => {
  const registry = await HostedRegistry.start();
  const { root } = registry.mirror;
  const { id, epoch } = await registry.uploads.begin(app);
  await registry.uploads.append(app, id, epoch, undefined, bodyOf('before '));
  await registry.mirror.stop();
  await using again = await HostedRegistry.start({}, { root });
  expect(await again.uploads.status(app, id, epoch)).toMatchObject({ size: 7 });
  await again.uploads.append(app, id, epoch, { start: 7, end: 11 }, bodyOf('after'));
  await again.uploads.complete(app, id, epoch, digestOf('before after'), undefined, bodyOf());
  expect(await again.readBlob(digestOf('before after'))).toEqual(Buffer.from('before after'));
});

it('refuses blobs beyond --max-blob-size', async () => {
  await using registry = await HostedRegistry.start({}, { server: { maxBlobSize: 10 } });
  const { uploads } = registry;
  expect(await refusal(uploads.single(app, digestOf('x'.repeat(11)), bodyOf('x'.repeat(11))))).toBe('413 SIZE_INVALID');
  const { id, epoch } = await uploads.begin(app);
  await uploads.append(app, id, epoch, undefined, bodyOf('x'.repeat(10)));
  expect(await refusal(uploads.append(app, id, epoch, undefined, { ...bodyOf('x'), length: undefined }))).toBe(
    '413 SIZE_INVALID',
  );
  await uploads.cancel(app, id, epoch);
});

it('takes two uploads of one digest at the same time', async () => {
  await using registry = await HostedRegistry.start();
  const content = Buffer.alloc(1_000_000, 'x');
  const upload = async () => {
    const { id, epoch } = await registry.uploads.begin(app);
    await registry.uploads.append(app, id, epoch, undefined, bodyOf(content.subarray(0, 500_000)));
    await registry.uploads.complete(app, id, epoch, digestOf(content), undefined, bodyOf(content.subarray(500_000)));
  };
  await Promise.all([upload(), upload(), registry.pushBlob(content)]);
  expect((await registry.readBlob(digestOf(content))).equals(content)).toBe(true);
});

it('mounts what another repository has, and only that', async () => {
  await using registry = await HostedRegistry.start();
  const { uploads } = registry;
  const other = RepositoryRef.parse('local/other');
  const digest = await registry.pushBlob('layer');
  expect(await uploads.mount(other, digest, RepositoryRef.parse('local/nothing'))).toBe(false);
  expect(await uploads.mount(other, digest, undefined, () => false)).toBe(false);
  expect(await uploads.mount(other, digestOf('nothing'), app)).toBe(false);
  expect(await uploads.mount(other, digest, RepositoryRef.parse('registry.invalid/app'))).toBe(false);
  expect(await refusal(registry.blobs.head(other, digest))).toBe('404 BLOB_UNKNOWN');
  expect(await uploads.mount(other, digest, app)).toBe(true);
  expect(await registry.readBlob(digest, other)).toEqual(Buffer.from('layer'));
  expect(await uploads.mount(other, digest, undefined)).toBe(true);
});

it('says why nothing can be pushed', async () => {
  await using closed = await HostedRegistry.start({}, { server: { allowAnonymousPush: false } });
  expect(await refusal(closed.uploads.begin(app))).toBe('403 DENIED');
  await expect(closed.uploads.begin(app)).rejects.toThrow('--allow-anonymous-push');
  await using registry = await HostedRegistry.start();
  const mirrored = RepositoryRef.parse('docker.io/library/app');
  for (const attempt of [
    () => registry.uploads.begin(mirrored),
    () => registry.put('v1', Buffer.from('{}'), {}, mirrored),
    () => registry.blobs.delete(mirrored, digestOf('x')),
    () => registry.manifests.delete(mirrored, digestOf('x')),
  ]) {
    expect(await refusal(attempt())).toBe('405 UNSUPPORTED');
    await expect(attempt()).rejects.toThrow('hosted namespaces: local');
  }
});

it('with --check-cache-digest, damaged content does not exist for HEAD either, so that it is pushed again', async () => {
  await using registry = await HostedRegistry.start({}, { server: { checkCacheDigest: true, memoryCache: 0 } });
  const content = Buffer.alloc(100_000, 'sound');
  const digest = await registry.pushBlob(content);
  const { hex } = digest;
  await writeFile(join(registry.mirror.root, 'blobs/sha256', hex.slice(0, 2), hex), Buffer.alloc(100_000, 'wrong'));
  expect(await refusal(registry.blobs.head(app, digest))).toBe('404 BLOB_UNKNOWN');
  await registry.pushBlob(content);
  expect(await registry.blobs.head(app, digest)).toMatchObject({ size: content.length });
  expect((await registry.readBlob(digest)).equals(content)).toBe(true);
});
