import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fixtureMediaTypes as types, makeBlob, makeImage, makeIndex } from '../../fixtures/images.js';
import { expectError } from '../support/error-document.js';
import { Conversation } from './support/conversation.js';
import { Hosting, withQuery } from './support/hosting.js';

const blob = makeBlob(3000, 'rules');
const image = makeImage({ layers: [100, 200], seed: 'rules' });
const app = '/v2/local/app';
const unknown = `sha256:${'0'.repeat(64)}`;
const sha512 = `sha512:${createHash('sha512').update(blob.body).digest('hex')}`;
const [one, two, three] = [blob.body.subarray(0, 1000), blob.body.subarray(1000, 2000), blob.body.subarray(2000)];

/** The rules that make every client work; each is named after what broke where it was not kept. */
describe('what clients of pushes rely on', () => {
  it('rule 1: Location is one path, without scheme and host, in every response that has one', async () => {
    await using hosting = await Hosting.start();
    const located = [await hosting.ask('POST', `${app}/blobs/uploads/`, { body: '' })];
    const next = () => located.at(-1)!.headers.location!;
    located.push(await hosting.ask('PATCH', next(), { body: one }));
    located.push(await hosting.ask('GET', next()));
    located.push(
      await hosting.ask('PUT', withQuery(next(), `digest=${blob.digest}`), { body: blob.body.subarray(1000) }),
    );
    located.push(await hosting.pushImage(image, '1'));
    for (const { headers } of located) expect(headers.location).toMatch(/^\/v2\/local\/app\/[^,]+$/);
  });

  it.each([
    ['in another order', (location: string) => location.replace('?', `?digest=${blob.digest}&`)],
    ['behind an empty one', (location: string) => `${location.split('?')[0]}?&digest=${blob.digest}`],
    ['twice', (location: string) => `${location}&digest=${blob.digest}&digest=${blob.digest}`],
    ['encoded', (location: string) => `${location}&digest=${encodeURIComponent(blob.digest)}`],
    ['without the state', (location: string) => `${location.split('?')[0]}?digest=${blob.digest}`],
    ['with a stale state', (location: string) => `${location.split('?')[0]}?epoch=0&digest=${blob.digest}`],
    ['beside others', (location: string) => `${location}&digest=${blob.digest}&_state=x&account=y`],
  ])('rule 2: the parameters of a session come %s', async (_, change) => {
    await using hosting = await Hosting.start();
    const location = await hosting.begin();
    const patched = await hosting.ask('PATCH', change(location), { body: blob.body });
    expect(patched).toMatchObject({ status: 202, headers: { range: '0-2999' } });
    expect((await hosting.ask('PUT', change(patched.headers.location!), { body: '' })).status).toBe(201);
  });

  it('rule 3: Range counts from the first byte of the session, without a unit', async () => {
    await using hosting = await Hosting.start();
    let location = await hosting.begin();
    for (const [chunk, range] of [
      [one, '0-999'],
      [two, '0-1999'],
      [three, '0-2999'],
    ] as const) {
      const { status, headers } = await hosting.ask('PATCH', location, { body: chunk });
      expect([status, headers.range]).toEqual([202, range]);
      location = headers.location!;
    }
    expect(await hosting.ask('GET', location)).toMatchObject({ status: 204, headers: { range: '0-2999' } });
    expect((await hosting.ask('PUT', withQuery(location, `digest=${blob.digest}`), { body: '' })).status).toBe(201);
  });

  it('rule 4: Range of nothing is 0-0', async () => {
    await using hosting = await Hosting.start();
    const opened = await hosting.ask('POST', `${app}/blobs/uploads/`, { body: '' });
    expect(opened.headers.range).toBe('0-0');
    const { headers } = await hosting.ask('PATCH', opened.headers.location!, { body: [] });
    expect(headers.range).toBe('0-0');
    expect((await hosting.ask('GET', headers.location!)).headers.range).toBe('0-0');
  });

  it('rule 5: 416 has Location, and Range unless nothing is there; the session goes on', async () => {
    await using hosting = await Hosting.start();
    let location = await hosting.begin();
    const early = await hosting.ask('PATCH', location, { body: two, headers: ['content-range: 1000-1999'] });
    expectError(early, 416, 'RANGE_INVALID');
    expect(early.headers.range).toBeUndefined();
    location = early.headers.location!;
    const first = await hosting.ask('PATCH', location, { body: one, headers: ['content-range: 0-999'] });
    location = first.headers.location!;
    for (const range of ['0-999', '999-1998', '1001-2000', '2000-2999']) {
      const wrong = await hosting.ask('PATCH', location, { body: two, headers: [`content-range: ${range}`] });
      expectError(wrong, 416, 'RANGE_INVALID');
      expect(wrong.headers).toMatchObject({ range: '0-999', location: expect.stringMatching(/^\/v2\//) as string });
      location = wrong.headers.location!;
      expect(await hosting.ask('GET', location)).toMatchObject({ status: 204, headers: { range: '0-999' } });
    }
    const put = await hosting.ask('PUT', withQuery(location, `digest=${blob.digest}`), {
      body: three,
      headers: ['content-range: 2000-2999'],
    });
    expectError(put, 416, 'RANGE_INVALID');
    location = (await hosting.ask('PATCH', put.headers.location!, { body: two, headers: ['content-range: 1000-1999'] }))
      .headers.location!;
    const end = withQuery(location, `digest=${blob.digest}`);
    expect((await hosting.ask('PUT', end, { body: three, headers: ['content-range: 2000-2999'] })).status).toBe(201);
  });

  it.each([
    ['a length', (body: Buffer) => body],
    ['chunks', (body: Buffer) => [body.subarray(0, 7), body.subarray(7)]],
  ])('rule 6: PATCH with %s and without Content-Range appends', async (_, framed) => {
    await using hosting = await Hosting.start();
    let location = await hosting.begin();
    for (const chunk of [one, two, three])
      location = (await hosting.ask('PATCH', location, { body: framed(chunk) })).headers.location!;
    expect((await hosting.ask('PUT', withQuery(location, `digest=${blob.digest}`), { body: [] })).status).toBe(201);
    const { body } = await hosting.ask('GET', `${app}/blobs/${blob.digest}`);
    expect(body.equals(blob.body)).toBe(true);
  });

  it('rule 7: POST with a type and no body begins an upload', async () => {
    await using hosting = await Hosting.start();
    for (const headers of [['content-type: application/json'], ['content-type: application/octet-stream'], []]) {
      for (const body of ['', undefined, []])
        expect((await hosting.ask('POST', `${app}/blobs/uploads/`, { headers, body })).status).toBe(202);
    }
  });

  it.each([
    ['any type', ['content-type: application/vnd.oci.image.layer.v1.tar+gzip']],
    ['a type that is none', ['content-type: ;;;']],
    ['a form', ['content-type: application/x-www-form-urlencoded']],
    ['no type', []],
  ])('rule 8: bodies of %s are taken as they are, in chunks too, larger than 1 MiB too', async (_, headers) => {
    await using hosting = await Hosting.start();
    const large = makeBlob(3_000_000, 'large');
    for (const body of [large.body, [large.body.subarray(0, 1_500_000), large.body.subarray(1_500_000)]]) {
      const location = await hosting.begin();
      const put = await hosting.ask('PUT', withQuery(location, `digest=${large.digest}`), { headers, body });
      expect(put.status).toBe(201);
    }
    const got = await hosting.ask('GET', `${app}/blobs/${large.digest}`);
    expect(got.body.equals(large.body)).toBe(true);
  });

  it('rule 8: an empty blob comes in chunks without a byte, and sha512 is known only at the end', async () => {
    await using hosting = await Hosting.start();
    const empty = `sha256:${createHash('sha256').digest('hex')}`;
    const put = await hosting.ask('PUT', withQuery(await hosting.begin(), `digest=${empty}`), { body: [] });
    expect(put).toMatchObject({ status: 201, headers: { 'docker-content-digest': empty } });
    expect(await hosting.ask('GET', `${app}/blobs/${empty}`)).toMatchObject({ status: 200, body: Buffer.alloc(0) });
    const long = await hosting.ask('PATCH', await hosting.begin('local/' + 'a'.repeat(200)), { body: blob.body });
    const done = await hosting.ask('PUT', withQuery(long.headers.location!, `digest=${sha512}`), { body: '' });
    expect(done).toMatchObject({ status: 201, headers: { 'docker-content-digest': sha512 } });
    expect((await hosting.ask('HEAD', done.headers.location!)).status).toBe(200);
  });

  it('rule 9: HEAD of a blob is 200 with its length, or 404, and sees a push at once', async () => {
    await using hosting = await Hosting.start();
    const target = `${app}/blobs/${blob.digest}`;
    expect((await hosting.ask('HEAD', target)).status).toBe(404);
    await hosting.pushBlob(blob);
    expect(await hosting.ask('HEAD', target)).toMatchObject({ status: 200, headers: { 'content-length': '3000' } });
    expect((await hosting.ask('HEAD', `/v2/local/other/blobs/${blob.digest}`)).status).toBe(404);
  });

  it('rule 10: HEAD of a manifest is 200 with its digest, or 404', async () => {
    await using hosting = await Hosting.start();
    for (const reference of ['1', image.manifest.digest]) {
      const target = `${app}/manifests/${reference}`;
      expect((await hosting.ask('HEAD', target)).status).toBe(404);
    }
    await hosting.pushImage(image, '1');
    for (const reference of ['1', image.manifest.digest]) {
      const { status, headers } = await hosting.ask('HEAD', `${app}/manifests/${reference}`);
      expect([status, headers['docker-content-digest']]).toEqual([200, image.manifest.digest]);
      expect(headers['content-type']).toBe(image.manifest.mediaType);
    }
  });

  it('rule 11: PUT of a blob is 201 with Location and digest', async () => {
    await using hosting = await Hosting.start();
    const { status, headers } = await hosting.pushBlob(blob);
    expect(status).toBe(201);
    expect(headers).toMatchObject({ location: `${app}/blobs/${blob.digest}`, 'docker-content-digest': blob.digest });
  });

  it('rule 12: PUT of a manifest is 201 with Location and digest, by tag and by digest', async () => {
    await using hosting = await Hosting.start();
    const { digest, body, mediaType } = image.manifest;
    for (const reference of ['1', digest, '1']) {
      const { status, headers } = await hosting.pushImage(image, reference);
      expect(status).toBe(201);
      expect(headers).toMatchObject({ location: `${app}/manifests/${digest}`, 'docker-content-digest': digest });
    }
    const got = await hosting.ask('GET', `${app}/manifests/1`);
    expect(got).toMatchObject({ status: 200, headers: { 'content-type': mediaType } });
    expect(got.body.equals(body)).toBe(true);
  });

  it.each([
    ['a blob that is nowhere', `mount=${unknown}&from=local/base`],
    ['a repository that is nowhere', `mount=${blob.digest}&from=local/nowhere`],
    ['a name that is none', `mount=${blob.digest}&from=UPPER`],
    ['a digest that is none', 'mount=sha256:0&from=local/base'],
    ['a mirrored repository without it', `mount=${unknown}&from=docker.io/library/busybox`],
    ['no digest at all', 'from=local/base'],
    ['an upload of no kind', `mount=&from=&origin=x`],
  ])('rule 13: a mount of %s begins an upload', async (_, query) => {
    await using hosting = await Hosting.start();
    await hosting.pushBlob(blob, 'local/base');
    const opened = await hosting.ask('POST', `${app}/blobs/uploads/?${query}`, { body: '' });
    expect(opened).toMatchObject({ status: 202, headers: { range: '0-0' } });
    const end = withQuery(opened.headers.location!, `digest=${blob.digest}`);
    expect((await hosting.ask('PUT', end, { body: blob.body })).status).toBe(201);
  });

  it.each([
    ['with its source', `&from=local/base`],
    ['with its source and an origin', `&from=local/base&origin=registry.test`],
  ])('rule 14: a mount that is possible is 201 %s', async (_, source) => {
    await using hosting = await Hosting.start();
    await hosting.pushBlob(blob, 'local/base');
    const mounted = await hosting.ask('POST', `${app}/blobs/uploads/?mount=${blob.digest}${source}`, { body: '' });
    expect(mounted).toMatchObject({
      status: 201,
      headers: { location: `${app}/blobs/${blob.digest}`, 'docker-content-digest': blob.digest },
    });
    const got = await hosting.ask('GET', mounted.headers.location!);
    expect(got.body.equals(blob.body)).toBe(true);
  });

  it('rule 14: a mount without a source takes what any repository has, and is an upload where none has it', async () => {
    await using hosting = await Hosting.start();
    await hosting.pushBlob(blob, 'local/base');
    const mount = `blobs/uploads/?mount=${blob.digest}`;
    expect((await hosting.ask('POST', `/v2/local/base/${mount}`, { body: '' })).status).toBe(201);
    expect((await hosting.ask('POST', `${app}/${mount}`, { body: '' })).status).toBe(201);
    const other = mount.replace(blob.digest, unknown);
    expect((await hosting.ask('POST', `${app}/${other}`, { body: '' })).status).toBe(202);
  });

  it('rule 15: what a person has to read is 4xx, DENIED and JSON, before the body is read', async () => {
    await using hosting = await Hosting.start({ server: { allowAnonymousPush: false } });
    for (const [method, endpoint] of [
      ['POST', 'blobs/uploads/'],
      ['POST', `blobs/uploads/?digest=${blob.digest}`],
      ['POST', `blobs/uploads/?mount=${blob.digest}&from=local/base`],
      ['PUT', 'manifests/1'],
      ['DELETE', 'manifests/1'],
    ] as const) {
      const refusal = await hosting.ask(method, `${app}/${endpoint}`, { body: blob.body });
      expectError(refusal, 403, 'DENIED');
      expect(refusal.body.toString()).toContain('--allow-anonymous-push');
    }
    expectError(await hosting.ask('POST', '/v2/team/app/blobs/uploads/', { body: blob.body }), 405, 'UNSUPPORTED');
  });

  it('rule 16: MANIFEST_INVALID is for manifests that are', async () => {
    await using hosting = await Hosting.start();
    const headers = [`content-type: ${types.ociManifest}`];
    for (const body of ['', '{', '[]', '{}', 'null', '{"schemaVersion":1}']) {
      expectError(await hosting.ask('PUT', `${app}/manifests/1`, { body, headers }), 400, 'MANIFEST_INVALID');
    }
    expectError(await hosting.ask('PUT', `${app}/manifests/-x`, { body: '{}', headers }), 400, 'TAG_INVALID');
    expectError(await hosting.ask('PUT', `${app}/manifests/sha256:x`, { body: '{}', headers }), 400, 'DIGEST_INVALID');
    const other = await hosting.ask('PUT', `${app}/manifests/${unknown}`, { body: image.manifest.body, headers });
    expectError(other, 400, 'DIGEST_INVALID');
  });

  it('rule 17: missing blobs and children are 400 MANIFEST_BLOB_UNKNOWN, with the digest', async () => {
    await using hosting = await Hosting.start();
    const headers = [`content-type: ${image.manifest.mediaType}`];
    const missing = await hosting.ask('PUT', `${app}/manifests/1`, { body: image.manifest.body, headers });
    expectError(missing, 400, 'MANIFEST_BLOB_UNKNOWN');
    expect(missing.body.toString()).toContain(image.config.digest);
    const index = makeIndex([{ image }]).manifest;
    const childless = await hosting.ask('PUT', `${app}/manifests/1`, {
      body: index.body,
      headers: [`content-type: ${index.mediaType}`],
    });
    expectError(childless, 400, 'MANIFEST_BLOB_UNKNOWN');
    expect(childless.body.toString()).toContain(image.manifest.digest);
  });

  it('rule 18: a session is cancelled with 204, and unknown to every request after that', async () => {
    await using hosting = await Hosting.start();
    const location = await hosting.begin();
    await hosting.ask('PATCH', location, { body: one });
    expect(await hosting.ask('DELETE', location)).toMatchObject({ status: 204, body: Buffer.alloc(0) });
    for (const gone of [location, location.replace(/[0-9a-f]{32}/, 'f'.repeat(32)), `${app}/blobs/uploads/x`]) {
      for (const method of ['GET', 'PATCH', 'DELETE', 'PUT']) {
        const target = method === 'PUT' ? withQuery(gone, `digest=${blob.digest}`) : gone;
        expectError(await hosting.ask(method, target, { body: one }), 404, 'BLOB_UPLOAD_UNKNOWN');
      }
    }
  });

  it('rule 18: a session of another repository is unknown', async () => {
    await using hosting = await Hosting.start();
    const location = (await hosting.begin()).replace('/app/', '/other/');
    for (const method of ['GET', 'PATCH', 'DELETE'])
      expectError(await hosting.ask(method, location, { body: one }), 404, 'BLOB_UPLOAD_UNKNOWN');
  });

  it('rule 19: DELETE is 202, of a tag, a manifest and a blob', async () => {
    await using hosting = await Hosting.start();
    await hosting.pushImage(image, '1');
    for (const target of [
      'manifests/1',
      `manifests/${image.manifest.digest}`,
      `blobs/${image.config.digest}`,
      `blobs/${image.layers[0]!.digest}`,
    ]) {
      expect(await hosting.ask('DELETE', `${app}/${target}`), target).toMatchObject({ status: 202 });
      expect((await hosting.ask('HEAD', `${app}/${target}`)).status, target).toBe(404);
    }
    expectError(await hosting.ask('DELETE', `${app}/manifests/1`), 404, 'MANIFEST_UNKNOWN');
    expectError(await hosting.ask('DELETE', `${app}/blobs/${unknown}`), 404, 'BLOB_UNKNOWN');
  });

  it('rule 20: referrers are always 200 and an index; a bad digest is 400', async () => {
    await using hosting = await Hosting.start();
    for (const repository of ['local/app', 'local/nowhere']) {
      const { status, headers, body } = await hosting.ask('GET', `/v2/${repository}/referrers/${unknown}`);
      expect([status, headers['content-type']]).toEqual([200, types.ociIndex]);
      expect(JSON.parse(body.toString())).toMatchObject({ schemaVersion: 2, mediaType: types.ociIndex, manifests: [] });
    }
    expectError(await hosting.ask('GET', `${app}/referrers/sha256:x`), 400, 'DIGEST_INVALID');
  });

  it('rule 21: the session’s id is sent, and a client that waits for 100 Continue gets it', async () => {
    await using hosting = await Hosting.start();
    const opened = await hosting.ask('POST', `${app}/blobs/uploads/`, { body: '' });
    expect(opened.headers['docker-upload-uuid']).toMatch(/^[0-9a-f]{32}$/);
    const target = withQuery(opened.headers.location!, `digest=${blob.digest}`);
    const bytes = Conversation.bytesOf('PUT', target, { body: blob.body, headers: ['expect: 100-continue'] });
    hosting.client.say(bytes.subarray(0, -blob.body.length));
    expect((await hosting.client.hear()).status).toBe(100);
    hosting.client.say(blob.body);
    expect((await hosting.client.hear()).status).toBe(201);
  });

  it('rule 21: a refusal comes in place of 100 Continue', async () => {
    await using hosting = await Hosting.start();
    const target = `${app}/blobs/uploads/${'f'.repeat(32)}?digest=${blob.digest}`;
    const bytes = Conversation.bytesOf('PUT', target, { body: blob.body, headers: ['expect: 100-continue'] });
    hosting.client.say(bytes.subarray(0, -blob.body.length));
    const refusal = await hosting.client.hear();
    expect(refusal).toMatchObject({ status: 404, headers: { connection: 'close' } });
    await hosting.client.ended();
  });
});

describe('several tags in one push', () => {
  it.each([
    ['?tag=a&tag=b&tag=c', ['a', 'b', 'c']],
    [
      `?${Array.from({ length: 12 }, (_, index) => `tag=t${index}`).join('&')}`,
      Array.from({ length: 12 }, (_, index) => `t${index}`),
    ],
  ])('%s', async (query, tags) => {
    await using hosting = await Hosting.start();
    const { digest } = image.manifest;
    const { status, headers } = await hosting.pushImage(image, `${digest}${query}`);
    expect([status, headers['oci-tag']?.split(', ')]).toEqual([201, tags]);
    for (const tag of tags)
      expect((await hosting.ask('HEAD', `${app}/manifests/${tag}`)).headers['docker-content-digest']).toBe(digest);
  });

  it('are at most 100', async () => {
    await using hosting = await Hosting.start();
    const query = Array.from({ length: 101 }, (_, index) => `tag=t${index}`).join('&');
    expectError(await hosting.ask('PUT', `${app}/manifests/1?${query}`, { body: '{}' }), 414, 'REQUEST_INVALID');
  });

  it('can be one, with the digest as a parameter', async () => {
    await using hosting = await Hosting.start();
    const sha = makeImage({ seed: 'sha512', algorithm: 'sha512', layers: [10] });
    const { status, headers } = await hosting.pushImage(sha, `1?digest=${sha.manifest.digest}`);
    expect([status, headers['docker-content-digest']]).toEqual([201, sha.manifest.digest]);
    expect((await hosting.ask('GET', `${app}/manifests/1`)).body.equals(sha.manifest.body)).toBe(true);
  });
});
