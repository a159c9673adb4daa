import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { app, descriptor, digestOf, HostedRegistry, image, index } from '../hosted/support/registry.js';
import { imageLink, json, link, manifestType, pushImage, wordsOf, type PushOptions } from '../support/browse.js';
import { getPage, pageText } from '../support/pages.js';
import { until } from '../support/until.js';

let registry: HostedRegistry;
beforeAll(async () => {
  registry = await HostedRegistry.start();
  await registry.pushImage('v1');
});
afterAll(() => registry[Symbol.asyncDispose]());

const show = (reference: string, name?: string) => pageText(registry.mirror, imageLink(reference, name));
const push = (reference: string, config: Buffer, options?: PushOptions) =>
  pushImage(registry, reference, config, options);

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
    const body = await push('hostile', config, { fields: { annotations: texts, layers } });
    await registry.put('hostile-type', image(['layer'], { artifactType: attacks[1], annotations: texts }));
    const signature = {
      ...layers[0],
      annotations: { 'dev.sigstore.cosign/certificate': attacks[0], 'in-toto.io/predicate-type': attacks[4] },
    };
    const { algorithm, hex } = digestOf(body);
    await push(`${algorithm}-${hex}.sig`, json({}), { fields: { layers: [signature] } });
    const platform = { os: attacks[0], architecture: attacks[4], variant: attacks[1], 'os.version': attacks[2] };
    await registry.put(
      'hostile-index',
      index([], { manifests: [{ ...descriptor(body, manifestType), platform }], annotations: texts }),
    );
    const chart = json(
      Object.fromEntries(['name', 'version', 'appVersion', 'description', 'home'].map((key, at) => [key, attacks[at]])),
    );
    await push('hostile-chart', chart, { layers: ['chart'], type: 'application/vnd.cncf.helm.config.v1+json' });
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
    await push('layers', json({}), { fields: { layers } });
    expect(wordsOf(await show('layers'))).toContain('2,300 more are in the raw manifest');
    await push('large', json({}), { fields: { annotations: { long: 'y'.repeat(1024 * 1024) } } });
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
