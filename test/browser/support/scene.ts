import { hash as bcrypt } from 'bcryptjs';
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RepositoryRef } from '../../../src/oci/repository.js';
import { app, descriptor, digestOf, empty, HostedRegistry, image, index } from '../../e2e/hosted/support/registry.js';
import { configType, json, manifestType } from '../../e2e/support/browse.js';
import { Folder } from '../../e2e/support/folder.js';
import { MovingClock } from '../../e2e/support/moving-clock.js';
import { basic } from '../../e2e/support/pages.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { workflowCertificate } from '../../fixtures/fulcio-certificate.js';
import { makeImage, makeIndex } from '../../fixtures/images.js';

const KiB = 1024;
const MiB = 1024 * KiB;
const hour = 3_600_000;
/** Since clients pulled something, in milliseconds. */
const pulled = 4 * 60_000;
const linux = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));
const chart = RepositoryRef.parse('local/charts/shop');
export const mirrored = 'docker.io/library/postgres';

/** A time of day that stands still, so that pictures are the same each time. */
class StoppedClock extends MovingClock {
  constructor(public at: number) {
    super();
  }

  override now(): number {
    return this.at;
  }
}

/** A server with a few images that could be real, pushed and mirrored, and with an administrator `anna`. */
export class Scene implements AsyncDisposable {
  private constructor(
    readonly registry: HostedRegistry,
    /** The only upstream, which has another port each time. */
    readonly upstream: FakeRegistry,
    private readonly folder: Folder,
  ) {}

  /** @param at the time of day */
  static async set(at: number): Promise<Scene> {
    const [folder, upstream] = await Promise.all([Folder.make(), FakeRegistry.start()]);
    await writeFile(folder.file('htpasswd'), `anna:${await bcrypt('secret', 4)}\n`);
    const access = `
users_file: ${folder.file('htpasswd')}
rules:
  - { repositories: ['**'], who: ['user:anna'], may: [pull, push, delete, admin] }
`;
    const upstreams = ['docker.io', 'ghcr.io', 'quay.io'].map((namespace) => ({ namespace, host: upstream.host }));
    const clock = new StoppedClock(at - 26 * hour);
    const registry = await HostedRegistry.start({}, { access, upstreams, clock });
    const scene = new Scene(registry, upstream, folder);
    await scene.pushApp();
    await scene.pushChart();
    await scene.pullThrough();
    clock.at = at - pulled;
    await scene.pullTags();
    clock.at = at;
    await scene.date(at);
    return scene;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
    await this.upstream[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }

  private async pushApp(): Promise<void> {
    const { registry } = this;
    const versions = ['1.3.0', '1.4.0', '1.4.1'];
    await registry.pushBlob(empty);
    for (const version of versions) {
      const images = await Promise.all(linux.map((platform) => this.pushPlatform(version, platform)));
      for (const body of images) await registry.put(digestOf(body), body);
      const manifests = images.map((body, at) => ({ ...descriptor(body, manifestType), platform: linux[at] }));
      const body = index([], { manifests, annotations: annotationsOf(version) });
      await registry.put(version, body);
      if (version !== versions.at(-1)) continue;
      await registry.put('latest', body);
      await registry.put('nightly', images[0]!);
      for (const subject of [descriptor(body, indexType), descriptor(images[0]!, manifestType)])
        await this.attach(subject);
    }
  }

  private async pushPlatform(version: string, platform: (typeof linux)[number]): Promise<Buffer> {
    const created = '2026-11-23T16:48:00Z';
    const config = json({
      ...{ ...platform, created, author: 'Shop team' },
      config: {
        ...{ User: '65532', WorkingDir: '/srv', Entrypoint: ['/usr/local/bin/shop'], Cmd: ['serve'] },
        Env: ['PATH=/usr/local/bin:/usr/bin:/bin', 'NODE_ENV=production'],
        ExposedPorts: { '8080/tcp': {} },
        Labels: annotationsOf(version),
      },
      history: [
        { created, created_by: 'ADD debian-13-slim.tar.xz / # buildkit' },
        { created, created_by: 'ENV NODE_ENV=production', empty_layer: true },
        { created, created_by: 'RUN /bin/sh -c apt-get update && apt-get install -y --no-install-recommends tini' },
        { created, created_by: 'COPY --chown=65532 dist /srv/dist # buildkit' },
        { created, created_by: 'ENTRYPOINT ["/usr/local/bin/shop"]', empty_layer: true },
      ],
    });
    const layers = [
      Buffer.alloc(3.2 * MiB, `debian ${platform.architecture}`),
      Buffer.alloc(412 * KiB, `tini ${platform.architecture}`),
      Buffer.alloc(1.4 * MiB, `shop ${version} ${platform.architecture}`),
    ];
    for (const blob of [config, ...layers]) await this.registry.pushBlob(blob);
    return image([], {
      config: descriptor(config, configType),
      layers: layers.map((layer) => descriptor(layer, 'application/vnd.oci.image.layer.v1.tar+gzip')),
      annotations: annotationsOf(version),
    });
  }

  /** A signature and an SBOM. */
  private async attach(subject: ReturnType<typeof descriptor>): Promise<void> {
    const { registry } = this;
    const payload = `{"critical":{"image":{"docker-manifest-digest":"${subject.digest}"}}}`;
    const sbom = `{"spdxVersion":"SPDX-2.3","name":"${subject.digest}"}`;
    for (const blob of [payload, sbom]) await registry.pushBlob(blob);
    const signed = {
      ...descriptor(payload, 'application/vnd.dev.cosign.simplesigning.v1+json'),
      annotations: {
        'dev.cosignproject.cosign/signature': 'x',
        'dev.sigstore.cosign/certificate': workflowCertificate,
      },
    };
    const signature = image([], { artifactType: 'application/vnd.dev.cosign.artifact.sig.v1+json', layers: [signed] });
    const listed = { artifactType: 'application/spdx+json', layers: [descriptor(sbom, 'application/spdx+json')] };
    for (const body of [signature, image([], listed)]) {
      const referrer = Buffer.from(JSON.stringify({ ...(JSON.parse(body.toString()) as object), subject }));
      await registry.put(digestOf(referrer), referrer);
    }
  }

  private async pushChart(): Promise<void> {
    const { registry } = this;
    const config = json({
      ...{ name: 'shop', version: '2.1.0', appVersion: '1.4.1', apiVersion: 'v2', type: 'application' },
      description: 'The shop with its database',
      dependencies: [{ name: 'postgresql', version: '16.2.0', repository: 'oci://mirror.example.com/local/charts' }],
    });
    const archive = Buffer.alloc(18 * KiB, 'chart');
    for (const blob of [config, archive]) await registry.pushBlob(blob, chart);
    const body = image([], {
      config: descriptor(config, 'application/vnd.cncf.helm.config.v1+json'),
      layers: [descriptor(archive, 'application/vnd.cncf.helm.chart.content.v1.tar+gzip')],
    });
    await registry.put('2.1.0', body, {}, chart);
  }

  private async pullThrough(): Promise<void> {
    for (const [name, ...tags] of mirroredTags) {
      for (const tag of tags) {
        const images = linux.map((platform) =>
          makeImage({ seed: `${name} ${tag}`, platform, layers: [2.6 * MiB, 310 * KiB] }),
        );
        const all = makeIndex(images.map((each, at) => ({ image: each, platform: linux[at]! })));
        this.upstream.addImage(name.slice(name.indexOf('/') + 1), all, [tag]);
        await this.pull(name, `manifests/${tag}`);
        const { manifest, config, layers } = images[0]!;
        await this.pull(name, `manifests/${manifest.digest}`);
        for (const { digest } of [config, ...layers]) await this.pull(name, `blobs/${digest}`);
      }
    }
    await this.registry.mirror.settled();
  }

  private async pullTags(): Promise<void> {
    for (const [name, ...tags] of mirroredTags) for (const tag of tags) await this.pull(name, `manifests/${tag}`);
    await this.registry.mirror.settled();
  }

  private async pull(name: string, path: string): Promise<void> {
    const { request } = this.registry.mirror;
    await request.get(`/v2/${name}/${path}`).set('authorization', basic('anna')).expect(200);
  }

  /** Files are as old as the clock says; what was pushed was pulled at different times. */
  private async date(at: number): Promise<void> {
    const { root } = this.registry.mirror;
    for (const file of await readdir(root, { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue;
      const path = join(file.parentPath, file.name);
      const isHosted = path.includes('/local/');
      const used = new Date(
        at - pulled - (isHosted ? (digestOf(path.slice(root.length)).hex.charCodeAt(0) % 23) * hour : 0),
      );
      await utimes(path, used, used);
    }
  }
}

const mirroredTags = [
  [mirrored, '16', '17', '17.2'],
  ['docker.io/library/nginx', '1.27'],
  ['ghcr.io/fluxcd/source-controller', 'v1.4.1'],
  ['quay.io/prometheus/node-exporter', 'v1.8.2', 'v1.9.0'],
] as const;
const indexType = 'application/vnd.oci.image.index.v1+json';
const annotationsOf = (version: string) => ({
  'org.opencontainers.image.title': 'shop',
  'org.opencontainers.image.version': version,
  'org.opencontainers.image.source': 'https://github.com/acme/shop',
  'org.opencontainers.image.licenses': 'MIT',
});

export const pathsOf = {
  repositories: '/_ui/repositories',
  repository: `/_ui/repository?name=${app.toString()}`,
  image: `/_ui/image?name=${app.toString()}&reference=nightly`,
  index: `/_ui/image?name=${app.toString()}&reference=1.4.1`,
  chart: `/_ui/image?name=${chart.toString()}&reference=2.1.0`,
  explain: `/_ui/explain?ref=${mirrored}:17`,
  actions: '/_ui/actions',
  setup: '/_ui/setup',
};
