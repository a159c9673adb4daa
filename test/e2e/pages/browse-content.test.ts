import { readdir, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UsesService } from '../../../src/registry/eviction/uses.service.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { makeArtifact, makeImage, makeIndex } from '../../fixtures/images.js';
import { workflowCertificate, workflowIdentity, workflowIssuer } from '../../fixtures/fulcio-certificate.js';
import { app, descriptor, digestOf, empty, HostedRegistry, image, index } from '../hosted/support/registry.js';
import {
  configType,
  imageLink,
  json,
  link,
  manifestType,
  pushImage,
  wordsOf,
  type PushOptions,
} from '../support/browse.js';
import { getPage, pageText } from '../support/pages.js';
import { until } from '../support/until.js';

let upstream: FakeRegistry;
let registry: HostedRegistry;
beforeAll(async () => {
  upstream = await FakeRegistry.start();
  registry = await HostedRegistry.start({}, { upstreams: [{ namespace: 'one.test', host: upstream.host }] });
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

const show = (reference: string, name?: string) => pageText(registry.mirror, imageLink(reference, name));
const push = (reference: string, config: Buffer, options?: PushOptions) =>
  pushImage(registry, reference, config, options);

describe('an image on its page', () => {
  it('has its layers with the steps of the build, its config, labels and annotations', async () => {
    const config = json({
      os: 'linux',
      architecture: 'arm64',
      created: '2024-05-01T10:00:00Z',
      config: { Env: ['PATH=/bin'], Entrypoint: ['/app', '--serve'], Labels: { 'org.example.team': 'Blue team' } },
      history: [
        { created_by: 'ADD rootfs.tar / # buildkit', created: '0001-01-01T00:00:00Z' },
        { created_by: 'ENV PATH=/bin', empty_layer: true },
        { created_by: 'RUN make install', created: '2024-05-01T10:00:00Z' },
      ],
    });
    const annotations = { 'org.opencontainers.image.source': 'https://example.com/source' };
    const body = await push('v1', config, { fields: { annotations }, layers: ['one', 'three'] });
    const words = wordsOf(await show('v1'));
    for (const text of [
      'local/team/app:v1',
      digestOf(body).toString(),
      'linux/arm64',
      'ADD rootfs.tar / # buildkit',
      'RUN make install',
      'no layer',
      '["/app","--serve"]',
      'PATH=/bin',
      'Blue team',
      'https://example.com/source',
      'May 1, 2024',
    ])
      expect(words).toContain(text);
    // What Go writes for no date.
    expect(words).not.toContain('Jan 1, 1,');
    expect(words).toContain(`docker pull ${new URL(registry.mirror.url).host}/local/team/app:v1`);
    expect(words.indexOf('RUN make install')).toBeGreaterThan(words.indexOf('ENV PATH=/bin'));
    const raw = await getPage(registry.mirror, link('raw', { name: app.toString(), reference: 'v1' }));
    expect(raw.body).toEqual(body);
    expect(raw.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
    });
  });

  it('is in the list of tags with digest, size and platform, by name and by last use', async () => {
    await push('a1', json({ os: 'linux', architecture: 's390x' }), { layers: ['x'.repeat(2_048)] });
    const page = (query: Record<string, string>) =>
      pageText(registry.mirror, link('repository', { name: app.toString(), ...query }));
    const tagsOf = (html: string) => [...html.matchAll(/reference=([^"&]+)"/g)].map(([, tag]) => tag!);
    await until('the tag is listed', async () => tagsOf(await page({})).includes('a1'));
    const words = wordsOf(await page({}));
    for (const text of ['linux/s390x', '2 KiB', 'Last pull or push']) expect(words).toContain(text);
    const byName = tagsOf(await page({}));
    expect(byName).toEqual([...byName].sort());
    expect(tagsOf(await page({ sort: 'time' }))[0]).toBe('a1');
    expect(tagsOf(await page({ q: 'A1' }))).toEqual(['a1']);
    expect(wordsOf(await page({ q: 'nothing' }))).toContain('No tag matches');
  });

  it('has its platforms, and their attestations, when it is an index', async () => {
    const child = await push('child', json({ os: 'linux', architecture: 'amd64' }), { layers: ['index layer'] });
    const statement = 'application/vnd.in-toto+json';
    const layer = {
      ...descriptor('{}', statement),
      annotations: { 'in-toto.io/predicate-type': 'https://spdx.dev/Document' },
    };
    const about = { layers: [layer], config: descriptor(empty, configType) };
    await registry.pushBlob(empty);
    const attestation = image([], about);
    await registry.put(digestOf(attestation), attestation);
    const manifests = [
      { ...descriptor(child, manifestType), platform: { os: 'linux', architecture: 'amd64' } },
      {
        ...descriptor(attestation, manifestType),
        platform: { os: 'unknown', architecture: 'unknown' },
        annotations: {
          'vnd.docker.reference.type': 'attestation-manifest',
          'vnd.docker.reference.digest': digestOf(child).toString(),
        },
      },
    ];
    await registry.put('multi', index([], { manifests }));
    const words = wordsOf(await show('multi'));
    expect(words).toContain('linux/amd64');
    expect(words).toContain('Attestation for linux/amd64');
    expect(words).not.toContain('unknown/unknown');
    expect(wordsOf(await show(digestOf(attestation).toString()))).toContain('Attestation');
  });

  it('has who says to have signed it: by referrers and by the tags of Cosign', async () => {
    const body = await push('signed', json({ os: 'linux', architecture: 'amd64' }), { layers: ['signed layer'] });
    const { algorithm, hex } = digestOf(body);
    const payload = 'simple signing';
    await registry.pushBlob(payload);
    const signature = {
      ...descriptor(payload, 'application/vnd.dev.cosign.simplesigning.v1+json'),
      annotations: {
        'dev.cosignproject.cosign/signature': 'x',
        'dev.sigstore.cosign/certificate': workflowCertificate,
      },
    };
    await push(`${algorithm}-${hex}.sig`, json({}), { fields: { layers: [signature] }, layers: [] });
    const jws = json({ header: { x5c: [workflowCertificate.replaceAll(/-----[A-Z ]+-----|\n/g, '')] } });
    await registry.pushBlob(jws);
    const notation = image([], {
      artifactType: 'application/vnd.cncf.notary.signature',
      layers: [descriptor(jws, 'application/jose+json')],
      subject: descriptor(body, manifestType),
    });
    await registry.put(digestOf(notation), notation);
    await registry.pushBlob('layer');
    await registry.pushBlob(empty);
    const sbom = image(['layer'], { artifactType: 'application/spdx+json', subject: descriptor(body, manifestType) });
    await registry.put(digestOf(sbom), sbom);
    const words = wordsOf(await show('signed'));
    for (const text of [
      workflowIdentity,
      workflowIssuer,
      'Cosign signature',
      'Notation signature',
      'SBOM (SPDX)',
      'nothing is verified',
    ])
      expect(words).toContain(text);
    expect(words.split(workflowIdentity)).toHaveLength(3);
  });

  it('says what it is when it is a chart or another artifact', async () => {
    const chart = json({
      name: 'app',
      version: '1.2.3',
      description: 'Serves things',
      dependencies: [{ name: 'redis' }],
    });
    await push('1.2.3', chart, { layers: ['chart'], type: 'application/vnd.cncf.helm.config.v1+json' });
    const words = wordsOf(await show('1.2.3'));
    for (const text of ['Helm chart', 'Serves things', 'redis', 'helm pull', '--version 1.2.3'])
      expect(words).toContain(text);
    await push('model', json({}), {
      fields: { artifactType: 'application/x.acme.thing' },
      layers: ['thing'],
      type: 'application/vnd.oci.empty.v1+json',
    });
    const other = wordsOf(await show('model'));
    for (const text of ['Artifact: application/x.acme.thing', 'oras pull']) expect(other).toContain(text);
  });

  it('is the same when it is mirrored, as far as clients have pulled it', async () => {
    const shown = makeImage({ seed: 'mirrored' });
    const indexed = makeIndex([{ image: shown, platform: { os: 'linux', architecture: 'amd64' } }]);
    upstream.addImage('team/app', indexed, ['v1']);
    upstream.addImage('team/app', makeArtifact(indexed, { artifactType: 'application/spdx+json' }));
    const pull = (path: string) => registry.mirror.request.get(`/v2/one.test/team/app/${path}`);
    expect((await pull('manifests/v1')).status).toBe(200);
    const name = 'one.test/team/app';
    expect(wordsOf(await show('v1', name))).toContain('linux/amd64 sha256:');
    expect((await getPage(registry.mirror, imageLink(shown.manifest.digest, name))).status).toBe(404);
    expect((await pull(`manifests/${shown.manifest.digest}`)).status).toBe(200);
    expect((await pull(`blobs/${shown.config.digest}`)).status).toBe(200);
    expect((await pull(`referrers/${indexed.manifest.digest}`)).status).toBe(200);
    await registry.mirror.settled();
    upstream.reset();
    const words = wordsOf(await show('v1', name));
    for (const text of ['fresh', 'Next check in', 'SBOM (SPDX) not stored']) expect(words).toContain(text);
    expect(wordsOf(await show(shown.manifest.digest, name))).toContain('seed mirrored');
    const tags = wordsOf(await pageText(registry.mirror, link('repository', { name })));
    for (const text of ['Image index , linux/amd64', 'Confirmed', 'fresh', 'in 9 min']) expect(tags).toContain(text);
    expect(upstream.count()).toBe(0);
  });
});

it('looking at what is stored counts as no use of it', async () => {
  const { root } = registry.mirror;
  await push('unused', json({ os: 'linux', architecture: 'amd64' }), { layers: ['unused layer'] });
  const longAgo = new Date(Date.now() - 86_400_000);
  const recordsAndContent = async () => {
    const found = ['repositories', 'blobs'].map((folder) =>
      readdir(join(root, folder), { recursive: true, withFileTypes: true }),
    );
    return (await Promise.all(found))
      .flat()
      .filter((file) => file.isFile())
      .map((file) => join(file.parentPath, file.name));
  };
  const files = await recordsAndContent();
  for (const file of files) await utimes(file, longAgo, longAgo);
  for (const path of [
    imageLink('unused'),
    link('repository', { name: app.toString() }),
    link('raw', { name: app.toString(), reference: 'unused' }),
  ])
    expect((await getPage(registry.mirror, path)).status).toBe(200);
  await registry.mirror.app.get(UsesService).settled();
  const used = await Promise.all(
    files.map(async (file) => ((await stat(file)).mtimeMs > longAgo.getTime() + 2_000 ? file : [])),
  );
  expect(used.flat()).toEqual([]);
  expect(await recordsAndContent()).toEqual(files);
});
