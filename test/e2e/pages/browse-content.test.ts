import { readdir, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UsesService } from '../../../src/registry/eviction/uses.service.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { makeArtifact, makeImage, makeIndex } from '../../fixtures/images.js';
import { workflowCertificate, workflowIdentity, workflowIssuer } from '../../fixtures/fulcio-certificate.js';
import { app, descriptor, digestOf, empty, HostedRegistry, image, index } from '../hosted/support/registry.js';
import { getPage, pageText } from '../support/pages.js';
import { until } from '../support/until.js';

const configType = 'application/vnd.oci.image.config.v1+json';
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const link = (page: string, query: Record<string, string>) => `/_ui/${page}?${new URLSearchParams(query).toString()}`;
const imageLink = (reference: string, name = app.toString()) => link('image', { name, reference });
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

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
/** What a reader sees. */
const wordsOf = (html: string) =>
  html
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replaceAll(/\s+/g, ' ');

async function push(
  reference: string,
  config: Buffer,
  fields: object = {},
  layers: string[] = ['layer'],
  type = configType,
) {
  await registry.pushBlob(config);
  for (const layer of layers) await registry.pushBlob(layer);
  const body = image(layers, { config: descriptor(config, type), ...fields });
  await registry.put(reference, body);
  return body;
}

describe('an image on its page', () => {
  it('has its layers with the steps of the build, its config, labels and annotations', async () => {
    const config = json({
      os: 'linux',
      architecture: 'arm64',
      created: '2024-05-01T10:00:00Z',
      config: { Env: ['PATH=/bin'], Entrypoint: ['/app', '--serve'], Labels: { 'org.example.team': 'Blue team' } },
      history: [
        { created_by: 'ADD rootfs.tar / # buildkit' },
        { created_by: 'ENV PATH=/bin', empty_layer: true },
        { created_by: 'RUN make install', created: '2024-05-01T10:00:00Z' },
      ],
    });
    const annotations = { 'org.opencontainers.image.source': 'https://example.com/source' };
    const body = await push('v1', config, { annotations }, ['one', 'three']);
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
    await push('a1', json({ os: 'linux', architecture: 's390x' }), {}, ['x'.repeat(2_048)]);
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
    const child = await push('child', json({ os: 'linux', architecture: 'amd64' }), {}, ['index layer']);
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
    const body = await push('signed', json({ os: 'linux', architecture: 'amd64' }), {}, ['signed layer']);
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
    await push(`${algorithm}-${hex}.sig`, json({}), { layers: [signature] }, []);
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
    await push('1.2.3', chart, {}, ['chart'], 'application/vnd.cncf.helm.config.v1+json');
    const words = wordsOf(await show('1.2.3'));
    for (const text of ['Helm chart', 'Serves things', 'redis', 'helm pull', '--version 1.2.3'])
      expect(words).toContain(text);
    await push(
      'model',
      json({}),
      { artifactType: 'application/x.acme.thing' },
      ['thing'],
      'application/vnd.oci.empty.v1+json',
    );
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
  await push('unused', json({ os: 'linux', architecture: 'amd64' }), {}, ['unused layer']);
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

describe('what an image says of itself', () => {
  const attacks = [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "'; alert(1); '",
    'javascript:alert(1)',
    '</bdi></code></pre></details><svg onload=alert(1)>',
    '\u202egnp.exe\u2066',
    '\0\x1b[31m\ufeff',
    '&lt;script&gt;',
  ];

  it('is text wherever it stands', async () => {
    const texts = Object.fromEntries(attacks.map((attack, at) => [`${attack}${at}`, attack]));
    const config = json({
      os: attacks[0],
      architecture: attacks[4],
      created: attacks[1],
      author: attacks[2],
      config: { Env: attacks, Entrypoint: attacks, Cmd: attacks, Labels: texts, ExposedPorts: texts, User: attacks[5] },
      history: attacks.map((created_by, at) => ({ created_by, created: created_by, empty_layer: at > 0 })),
    });
    const type = 'application/vnd.oci.image.layer.v1.tar';
    const layers = [{ ...descriptor('layer', type), annotations: { 'org.opencontainers.image.title': attacks[1] } }];
    const body = await push('hostile', config, { annotations: texts, layers });
    await registry.put('hostile-type', image(['layer'], { artifactType: attacks[1], annotations: texts }));
    const signature = {
      ...layers[0],
      annotations: { 'dev.sigstore.cosign/certificate': attacks[0], 'in-toto.io/predicate-type': attacks[4] },
    };
    const { algorithm, hex } = digestOf(body);
    await push(`${algorithm}-${hex}.sig`, json({}), { layers: [signature] });
    const platform = { os: attacks[0], architecture: attacks[4], variant: attacks[1], 'os.version': attacks[2] };
    await registry.put(
      'hostile-index',
      index([], { manifests: [{ ...descriptor(body, manifestType), platform }], annotations: texts }),
    );
    const chart = json(
      Object.fromEntries(['name', 'version', 'appVersion', 'description', 'home'].map((key, at) => [key, attacks[at]])),
    );
    await push('hostile-chart', chart, {}, ['chart'], 'application/vnd.cncf.helm.config.v1+json');
    const paths = ['hostile', 'hostile-type', 'hostile-index', 'hostile-chart'].map((tag) => imageLink(tag));
    const tags = link('repository', { name: app.toString(), q: 'hostile-chart' });
    // A list is a moment old at most.
    await until('the tag is listed', async () => !(await pageText(registry.mirror, tags)).includes('No tag matches'));
    for (const path of [...paths, link('repository', { name: app.toString(), q: 'hostile' })]) {
      const html = await pageText(registry.mirror, path);
      expect(html).not.toMatch(/<script>|<img|<svg on|href="javascript|[\u202a-\u202e\u2066-\u2069\ufeff\0\x1b]/i);
      expect(html).toMatch(/&lt;script>|&lt;img/);
    }
    expect(wordsOf(await show('hostile'))).toContain('⟨U+202E⟩gnp.exe⟨U+2066⟩');
  });

  it('is bounded: long texts, many layers, many annotations, documents too large to read', async () => {
    const long = 'x'.repeat(400_000);
    const labels = Object.fromEntries(Array.from({ length: 1_000 }, (_, at) => [`label-${at}`, 'text']));
    const history = Array.from({ length: 2_000 }, () => ({ created_by: 'RUN something' }));
    await push('long', json({ os: 'linux', architecture: 'amd64', config: { Labels: labels, Env: [long] }, history }));
    expect(wordsOf(await show('long'))).toContain('900 more are not shown');
    const layers = Array.from({ length: 2_500 }, () => descriptor('layer', 'application/vnd.oci.image.layer.v1.tar'));
    await push('layers', json({}), { layers });
    expect(wordsOf(await show('layers'))).toContain('2,300 more are in the raw manifest');
    await push('large', json({}), { annotations: { long: 'y'.repeat(1024 * 1024) } });
    expect(wordsOf(await show('large'))).toContain('too large to be shown');
    const deep = Buffer.from(`{"config":${'['.repeat(9_000)}${']'.repeat(9_000)}}`);
    await push('deep', deep);
    expect((await show('deep')).length).toBeLessThan(20_000);
  });

  it.each(['', 'x', '../../etc/passwd', 'local/a b', 'LOCAL/APP', '%00', 'local/team/app:v1', 'x'.repeat(2_000)])(
    'a name that none can have is not found: %.30s',
    async (name) => {
      for (const path of [link('repository', { name }), imageLink('v1', name), link('raw', { name, reference: 'v1' })])
        expect((await getPage(registry.mirror, path)).status, path).toBe(404);
      for (const query of [{ q: name }, { namespace: name }, { last: name }])
        expect((await getPage(registry.mirror, link('repositories', query))).status).toBe(200);
      for (const query of [{ q: name }, { last: name }, { sort: name }, { sort: 'time', last: name }])
        expect((await getPage(registry.mirror, link('repository', { name: app.toString(), ...query }))).status).toBe(
          200,
        );
      expect((await getPage(registry.mirror, imageLink(name))).status).toBe(404);
    },
  );
});
