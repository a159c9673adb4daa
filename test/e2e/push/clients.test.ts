import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fixtureMediaTypes as types, makeBlob, makeImage, makeIndex, type FixtureBlob } from '../../fixtures/images.js';
import { Hosting, withQuery } from './support/hosting.js';

const app = '/v2/local/app';
const image = makeImage({ layers: [5000, 100_000], seed: 'clients' });
const { config, layers, manifest } = image;
const blobs = [...layers, config];
const typed = (mediaType: string) => [`content-type: ${mediaType}`];

/** What every client's push ends with. */
async function expectPulled(hosting: Hosting, repository = 'local/app'): Promise<void> {
  const got = await hosting.ask('GET', `/v2/${repository}/manifests/1`);
  expect(got.body.equals(manifest.body)).toBe(true);
  for (const blob of blobs) {
    const { body } = await hosting.ask('GET', `/v2/${repository}/blobs/${blob.digest}`);
    expect(body.equals(blob.body)).toBe(true);
  }
}

/** Pieces, as a client that reads a pipe sends them. */
function streamed(body: Buffer): Buffer[] {
  const pieces = [];
  for (let offset = 0; offset < body.length; offset += 4096) pieces.push(body.subarray(offset, offset + 4096));
  return pieces;
}

describe('the requests of a push, as they are sent by', () => {
  it('Docker with graph drivers', async () => {
    await using hosting = await Hosting.start();
    expect((await hosting.ask('GET', '/v2/')).status).toBe(200);
    await hosting.pushBlob(layers[0]!, 'local/base');
    for (const [index, { digest, body }] of blobs.entries()) {
      expect((await hosting.ask('HEAD', `${app}/blobs/${digest}`)).status).toBe(404);
      const mount = `?from=${encodeURIComponent('local/base')}&mount=${encodeURIComponent(digest)}`;
      const mounted = await hosting.ask('POST', `${app}/blobs/uploads/${mount}`, { body: '' });
      expect(mounted.status).toBe(index === 0 ? 201 : 202);
      if (index > 0) {
        const { headers } = await hosting.ask('POST', `${app}/blobs/uploads/`, { body: '' });
        const patched = await hosting.ask('PATCH', headers.location!, { body: streamed(body) });
        expect(patched.status).toBe(202);
        // It takes the end for the size of the layer.
        expect(/^(\d+)-(\d+)$/.exec(patched.headers.range!)!.slice(1)).toEqual(['0', String(body.length - 1)]);
        const put = await hosting.ask('PUT', withQuery(patched.headers.location!, `digest=${digest}`), { body: '' });
        expect(put.status).toBe(201);
      }
      const head = await hosting.ask('HEAD', `${app}/blobs/${digest}`);
      expect(head).toMatchObject({ status: 200, headers: { 'content-length': String(body.length) } });
    }
    const put = await hosting.ask('PUT', `${app}/manifests/1`, {
      body: manifest.body,
      headers: typed(manifest.mediaType),
    });
    expect(put.headers['docker-content-digest']).toBe(manifest.digest);
    await expectPulled(hosting);
  });

  it('containerd and BuildKit', async () => {
    await using hosting = await Hosting.start();
    for (const { digest, body } of blobs) {
      expect((await hosting.ask('HEAD', `/v2/app/blobs/${digest}?ns=local`)).status).toBe(404);
      const opened = await hosting.ask('POST', '/v2/app/blobs/uploads/?ns=local', { body: '' });
      expect(opened.status).toBe(202);
      expect(opened.headers.location).toMatch(/^\/v2\/app\/blobs\/uploads\/.*ns=local/);
      // It adds the digest and sorts the query.
      const [path, query] = opened.headers.location!.split('?');
      const sorted = new URLSearchParams([...new URLSearchParams(query), ['digest', digest]]);
      sorted.sort();
      const headers = typed('application/octet-stream');
      const put = await hosting.ask('PUT', `${path}?${sorted.toString()}`, { body, headers });
      expect(put.status).toBe(201);
    }
    expect((await hosting.ask('HEAD', '/v2/app/manifests/1?ns=local')).status).toBe(404);
    const put = await hosting.ask('PUT', '/v2/app/manifests/1?ns=local', {
      body: manifest.body,
      headers: typed(manifest.mediaType),
    });
    expect(put.status).toBe(201);
    const again = await hosting.ask('HEAD', '/v2/app/manifests/1?ns=local');
    expect(again.headers['docker-content-digest']).toBe(manifest.digest);
    await expectPulled(hosting);
  });

  it('containerd with an empty blob', async () => {
    await using hosting = await Hosting.start();
    const digest = `sha256:${createHash('sha256').digest('hex')}`;
    const location = await hosting.begin();
    expect((await hosting.ask('PUT', withQuery(location, `digest=${digest}`), { body: [] })).status).toBe(201);
  });

  it('podman, buildah and skopeo', async () => {
    await using hosting = await Hosting.start();
    for (const { digest, body } of blobs) {
      expect((await hosting.ask('HEAD', `${app}/blobs/${digest}`)).status).toBe(404);
      const mount = await hosting.ask('POST', `${app}/blobs/uploads/?from=local/base&mount=${digest}`, { body: '' });
      expect(mount.status).toBe(202);
      expect((await hosting.ask('DELETE', mount.headers.location!)).status).toBe(204);
      const opened = await hosting.ask('POST', `${app}/blobs/uploads/`, { body: '' });
      const patched = await hosting.ask('PATCH', opened.headers.location!, {
        body: streamed(body),
        headers: typed('application/octet-stream'),
      });
      expect(patched.status).toBe(202);
      const put = await hosting.ask('PUT', withQuery(patched.headers.location!, `digest=${digest}`), {
        body: '',
        headers: typed('application/octet-stream'),
      });
      expect(put.status).toBe(201);
    }
    // The image of an index by its digest, then the index.
    const index = makeIndex([{ image }]).manifest;
    for (const [reference, { body, mediaType }] of [
      [manifest.digest, manifest],
      ['all', index],
      ['1', manifest],
    ] as const)
      expect(
        (await hosting.ask('PUT', `${app}/manifests/${reference}`, { body, headers: typed(mediaType) })).status,
      ).toBe(201);
    expect((await hosting.ask('GET', `${app}/manifests/all`)).body.equals(index.body)).toBe(true);
    await expectPulled(hosting);
  });

  it('crane, ko, kaniko and cosign', async () => {
    await using hosting = await Hosting.start();
    expect((await hosting.ask('GET', '/v2/')).status).toBe(200);
    // kaniko checks whether it may push.
    const probe = await hosting.ask('POST', `${app}/blobs/uploads/`, { body: '', headers: typed('application/json') });
    expect((await hosting.ask('DELETE', probe.headers.location!)).status).toBe(204);
    for (const [index, { digest, body }] of blobs.entries()) {
      expect((await hosting.ask('HEAD', `${app}/blobs/${digest}`)).status).toBe(404);
      const opened = await hosting.ask('POST', `${app}/blobs/uploads/?mount=${digest}&from=base&origin=registry.test`, {
        body: '',
        headers: typed('application/json'),
      });
      expect(opened.status).toBe(202);
      const patched = await hosting.ask('PATCH', opened.headers.location!, {
        body: index === 0 ? streamed(body) : body,
      });
      expect(patched.status).toBe(202);
      expect(
        (await hosting.ask('PUT', withQuery(patched.headers.location!, `digest=${digest}`), { body: '' })).status,
      ).toBe(201);
    }
    expect((await hosting.ask('HEAD', `${app}/manifests/1`)).status).toBe(404);
    const put = await hosting.ask('PUT', `${app}/manifests/1`, {
      body: manifest.body,
      headers: typed(manifest.mediaType),
    });
    expect(put.status).toBe(201);
    await expectPulled(hosting);
  });

  it('ORAS and Helm', async () => {
    await using hosting = await Hosting.start();
    for (const { digest, body } of blobs) {
      const { headers } = await hosting.ask('POST', `${app}/blobs/uploads/`, { body: '' });
      const put = await hosting.ask('PUT', withQuery(headers.location!, `digest=${encodeURIComponent(digest)}`), {
        body,
        headers: typed('application/octet-stream'),
      });
      expect(put.status).toBe(201);
    }
    await hosting.pushImage(image, '1');
    const empty = { digest: `sha256:${createHash('sha256').update('{}').digest('hex')}`, body: Buffer.from('{}') };
    await hosting.pushBlob(empty);
    const artifact = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: types.ociManifest,
        artifactType: 'application/vnd.example.sbom',
        config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: empty.digest, size: 2 },
        layers: [{ mediaType: 'application/vnd.oci.empty.v1+json', digest: empty.digest, size: 2 }],
        subject: { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.body.length },
      }),
    );
    const digest = `sha256:${createHash('sha256').update(artifact).digest('hex')}`;
    const put = await hosting.ask('PUT', `${app}/manifests/${digest}`, {
      body: artifact,
      headers: typed(types.ociManifest),
    });
    expect(put).toMatchObject({ status: 201, headers: { 'oci-subject': manifest.digest } });
    const listed = await hosting.ask('GET', `${app}/referrers/${manifest.digest}`);
    expect(JSON.parse(listed.body.toString())).toMatchObject({
      manifests: [{ digest, artifactType: 'application/vnd.example.sbom' }],
    });
    await expectPulled(hosting);
  });

  it('regctl, which mounts from anywhere and resumes by chunks', async () => {
    await using hosting = await Hosting.start();
    for (const { digest, body } of blobs) {
      const opened = await hosting.ask('POST', `${app}/blobs/uploads/?mount=${digest}`, { body: '' });
      expect(opened.status).toBe(202);
      // Its first try failed; from there on it sends chunks to a URL that has the digest.
      let location = withQuery(opened.headers.location!, `digest=${encodeURIComponent(digest)}`);
      for (let start = 0; start < body.length; start += 30_000) {
        const chunk = body.subarray(start, start + 30_000);
        const patched = await hosting.ask('PATCH', location, {
          body: chunk,
          headers: [...typed('application/octet-stream'), `content-range: ${start}-${start + chunk.length - 1}`],
        });
        expect(patched).toMatchObject({ status: 202, headers: { range: `0-${start + chunk.length - 1}` } });
        location = withQuery(patched.headers.location!, `digest=${encodeURIComponent(digest)}`);
      }
      expect((await hosting.ask('PUT', location, { body: '' })).status).toBe(201);
    }
    await hosting.ask('PUT', `${app}/manifests/1`, { body: manifest.body, headers: typed(manifest.mediaType) });
    await expectPulled(hosting);
  });

  it('regctl with sha512', async () => {
    await using hosting = await Hosting.start();
    const sha = makeImage({ seed: 'sha512', algorithm: 'sha512', layers: [10_000] });
    for (const { digest, body } of [...sha.layers, sha.config]) {
      const opened = await hosting.ask('POST', `${app}/blobs/uploads/?digest-algorithm=sha512`, { body: '' });
      expect((await hosting.ask('PUT', withQuery(opened.headers.location!, `digest=${digest}`), { body })).status).toBe(
        201,
      );
    }
    const put = await hosting.ask('PUT', `${app}/manifests/${sha.manifest.digest}?tag=1`, {
      body: sha.manifest.body,
      headers: typed(sha.manifest.mediaType),
    });
    expect(put).toMatchObject({
      status: 201,
      headers: { 'oci-tag': '1', 'docker-content-digest': sha.manifest.digest },
    });
  });

  it('jib', async () => {
    await using hosting = await Hosting.start();
    for (const { digest, body } of blobs) {
      expect((await hosting.ask('HEAD', `${app}/blobs/${digest}`)).status).toBe(404);
      const opened = await hosting.ask('POST', `${app}/blobs/uploads/?mount=${digest}&from=library/base`, { body: '' });
      const patched = await hosting.ask('PATCH', opened.headers.location!, { body: streamed(body) });
      expect(
        (await hosting.ask('PUT', withQuery(patched.headers.location!, `digest=${digest}`), { body: '' })).status,
      ).toBe(201);
    }
    const put = await hosting.ask('PUT', `${app}/manifests/1`, {
      body: manifest.body,
      headers: typed(manifest.mediaType),
    });
    expect(put.headers['docker-content-digest']).toBe(manifest.digest);
    await expectPulled(hosting);
  });

  it('the .NET SDK, whole and in chunks', async () => {
    await using hosting = await Hosting.start();
    const chunked = async ({ digest, body }: FixtureBlob, size: number) => {
      let location = await hosting.begin();
      for (let start = 0; start < body.length; start += size) {
        const chunk = body.subarray(start, start + size);
        const headers = size < body.length ? [`content-range: ${start}-${start + chunk.length - 1}`] : [];
        const patched = await hosting.ask('PATCH', location, { body: chunk, headers });
        expect(patched.status).toBe(202);
        location = patched.headers.location!;
        expect((await hosting.ask('GET', location)).headers.range).toBe(`0-${start + chunk.length - 1}`);
      }
      expect((await hosting.ask('PUT', withQuery(location, `digest=${digest}`), { body: '' })).status).toBe(201);
    };
    await chunked(layers[0]!, 10_000);
    await chunked(layers[1]!, 65_536);
    await chunked(config, 10_000);
    await hosting.ask('PUT', `${app}/manifests/1`, { body: manifest.body, headers: typed(manifest.mediaType) });
    await expectPulled(hosting);
  });

  it('a client that sends a blob with its first request', async () => {
    await using hosting = await Hosting.start();
    const { digest, body } = makeBlob(70_000, 'single');
    for (const framed of [body, streamed(body)]) {
      const target = `${app}/blobs/uploads/?digest=${digest}`;
      const posted = await hosting.ask('POST', target, { body: framed, headers: typed('application/octet-stream') });
      expect(posted).toMatchObject({ status: 201, headers: { 'docker-content-digest': digest } });
      expect((await hosting.ask('GET', posted.headers.location!)).body.equals(body)).toBe(true);
    }
  });
});
