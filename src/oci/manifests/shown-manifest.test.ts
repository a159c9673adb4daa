import { describe, expect, it } from 'vitest';
import { manifestMediaTypes } from '../media-type.js';
import { artifactKind } from './artifact-kind.js';
import { readChart, readImageConfig } from './image-config.js';
import { maxShownBytes, maxText, readShownManifest } from './shown-manifest.js';

const { ociManifest, ociIndex } = manifestMediaTypes;
const digest = (character: string) => `sha256:${character.repeat(64)}`;
const read = (document: unknown, type: string = ociManifest) =>
  readShownManifest(Buffer.from(JSON.stringify(document)), type);
const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digest('a'), size: 10 };
const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: digest('b'), size: 100 };

describe('a manifest for a page', () => {
  it('has its kind, layers, size and annotations', () => {
    const annotations = { 'org.example.a': '<b>', 'org.example.b': '\u202e' };
    const shown = read({ config, layers: [layer, layer], annotations });
    expect(shown).toMatchObject({ kind: { kind: 'image' }, size: 210, more: 0, annotations: { more: 0 } });
    expect(shown?.layers.map(({ size }) => size)).toEqual([100, 100]);
    expect(shown?.annotations.entries).toEqual(Object.entries(annotations).map(([name, text]) => ({ name, text })));
  });

  it('shows a part of ten thousand layers, and counts the others', () => {
    const shown = read({ config, layers: Array.from({ length: 4_000 }, () => ({ digest: digest('b'), size: 2 })) });
    expect(shown).toMatchObject({ size: 8_010, more: 3_800 });
    expect(shown?.layers).toHaveLength(200);
  });

  it('has the platforms of an index, and what an attestation is about', () => {
    const child = { ...layer, mediaType: ociManifest, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } };
    const attestation = {
      ...child,
      platform: { os: 'unknown', architecture: 'unknown' },
      annotations: { 'vnd.docker.reference.type': 'attestation-manifest', 'vnd.docker.reference.digest': digest('b') },
    };
    const shown = read({ manifests: [child, attestation] }, ociIndex);
    expect(shown?.kind).toEqual({ kind: 'index', name: 'Image index' });
    expect(shown?.manifests.map(({ platform }) => platform?.os)).toEqual(['linux', 'unknown']);
    expect(shown?.manifests[1]?.told).toMatchObject({ referenceDigest: digest('b') });
  });

  it('cuts long texts, and leaves out what is malformed', () => {
    const long = 'x'.repeat(500_000);
    expect(read({ annotations: { [long.slice(0, 3_000)]: long } })?.annotations.entries[0]?.text).toHaveLength(
      maxText + 1,
    );
    const odd = [null, 1, [], {}, { digest: 1 }, { digest: 'sha256:x' }, { ...layer, size: -1, platform: [] }];
    expect(read({ config: [], layers: odd, annotations: [] })?.layers).toMatchObject([{ size: undefined }]);
  });

  it.each([
    ['', 'nothing'],
    ['[]', 'no object'],
    ['{"layers":[', 'cut off'],
    ['{"layers":[],"layers":[]}', 'ambiguous'],
    [`{"a":${'['.repeat(65)}${']'.repeat(65)}}`, 'deep'],
    [`{"a":"${'x'.repeat(maxShownBytes)}"}`, 'too large'],
  ])('is not shown when it is %.20s (%s)', (text) => {
    expect(readShownManifest(Buffer.from(text), ociManifest)).toBeUndefined();
  });
});

describe('the kind of an artifact', () => {
  it.each([
    [{ configType: 'application/vnd.cncf.helm.config.v1+json' }, 'Helm chart'],
    [{ configType: config.mediaType, layerTypes: ['application/vnd.in-toto+json'] }, 'Attestation'],
    [
      { configType: config.mediaType, layerTypes: ['application/vnd.dev.cosign.simplesigning.v1+json'] },
      'Cosign signature',
    ],
    [{ artifactType: 'application/vnd.cncf.notary.signature' }, 'Notation signature'],
    [{ artifactType: 'application/vnd.dev.sigstore.bundle.v0.3+json' }, 'Sigstore bundle'],
    [{ artifactType: 'application/spdx+json', configType: 'application/vnd.oci.empty.v1+json' }, 'SBOM (SPDX)'],
    [{ artifactType: 'application/x.acme' }, 'Artifact: application/x.acme'],
    [{ configType: 'application/vnd.docker.container.image.v1+json' }, 'Image'],
    [{}, 'Artifact'],
    [{ mediaType: ociIndex, artifactType: 'application/x.acme' }, 'Index: application/x.acme'],
    [{ mediaType: manifestMediaTypes.dockerSchema1 }, 'Image (schema 1)'],
  ])('of %j is %s', (types, name) => {
    expect(artifactKind({ mediaType: ociManifest, layerTypes: [], ...types }).name).toBe(name);
  });
});

describe('the configuration of an image for a page', () => {
  it('has what a container starts with, and the steps of its build', () => {
    const document = {
      architecture: 'arm',
      os: 'linux',
      variant: 'v7',
      created: '2024-01-01T00:00:00Z',
      config: {
        Env: ['A=1'],
        Entrypoint: ['/a', 'b c'],
        Cmd: null,
        ExposedPorts: { '80/tcp': {} },
        Volumes: { '/data': {} },
        Labels: { maintainer: 'Anna' },
        User: '1000',
      },
      history: [{ created_by: 'COPY . .' }, { created_by: 'ENV A=1', empty_layer: true }, 'odd'],
    };
    expect(readImageConfig(Buffer.from(JSON.stringify(document)))).toEqual({
      created: '2024-01-01T00:00:00Z',
      author: undefined,
      platform: 'linux/arm/v7',
      user: '1000',
      workingDirectory: undefined,
      stopSignal: undefined,
      entrypoint: ['/a', 'b c'],
      command: [],
      environment: ['A=1'],
      ports: ['80/tcp'],
      volumes: ['/data'],
      labels: { entries: [{ name: 'maintainer', text: 'Anna' }], more: 0 },
      history: [
        { command: 'COPY . .', comment: undefined, created: undefined, isEmpty: false },
        { command: 'ENV A=1', comment: undefined, created: undefined, isEmpty: true },
      ],
    });
  });

  it.each(['', '1', '{"config":[],"history":{}}', '{"config":{"Labels":1,"Env":{}}}', `{"a":${'['.repeat(9_000)}`])(
    'is little or nothing of %.40s',
    (text) => {
      const found = readImageConfig(Buffer.from(text));
      if (found) expect(found).toMatchObject({ history: [], environment: [], labels: { entries: [] } });
    },
  );
});

describe('a chart for a page', () => {
  it('is read from its config', () => {
    const chart = {
      name: 'app',
      version: '1.2.3',
      appVersion: '7',
      dependencies: [{ name: 'redis', version: '1' }, 3],
    };
    expect(readChart(Buffer.from(JSON.stringify(chart)))).toMatchObject({
      name: 'app',
      version: '1.2.3',
      dependencies: ['redis 1'],
      isDeprecated: false,
    });
    expect(readChart(Buffer.from('[]'))).toBeUndefined();
  });
});
