import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';

interface Service {
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly tmpfs?: readonly string[];
  readonly volumes?: readonly string[];
}

interface Compose {
  /** Each with what it is merged with, under `<<`. */
  readonly services: Readonly<Record<string, Service & { readonly '<<'?: Service }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const read = (path: string) => readFileSync(path, 'utf8');
const dockerfile = read('Dockerfile');
const imageFolder = /^ {2}TMPDIR=(\S+)/m.exec(dockerfile)?.[1];
const isWithin = (folder: string, path: string) => folder === path || folder.startsWith(`${path}/`);

/** A tmpfs counts as memory of the container, and one large layer ends it. */
describe('the upload buffer of a bucket', () => {
  const compose = load(read('compose.s3.yaml')) as Compose;
  const services = Object.entries(compose.services).map(
    ([name, service]) => [name, { ...service['<<'], ...service }] as const,
  );
  const mirrors = services.filter(([, { command }]) => command?.includes('s3') === true);

  it('is in a volume of the image, which its user may write', () => {
    expect(imageFolder).toBeDefined();
    expect(dockerfile).toMatch(new RegExp(`^VOLUME ${imageFolder ?? ''}$`, 'm'));
    expect(dockerfile).toMatch(new RegExp(`^COPY --from=build --chown=65532:65532 ${imageFolder ?? ''} `, 'm'));
  });

  it('is in a volume of each mirror of compose.s3.yaml, never in memory', () => {
    expect(mirrors).toHaveLength(2);
    const used = mirrors.map(([name, { environment, tmpfs = [], volumes = [] }]) => {
      const folder = environment?.TMPDIR ?? imageFolder ?? '/tmp';
      const mounts = volumes.map((text) => text.split(':') as [source: string, target: string]);
      const [source = ''] = mounts.find(([, target]) => isWithin(folder, target)) ?? [];
      expect([name, tmpfs.filter((target) => isWithin(folder, target))]).toEqual([name, []]);
      expect([name, Object.keys(compose.volumes)]).toEqual([name, expect.arrayContaining([source])]);
      return source;
    });
    expect(new Set(used).size).toBe(2);
  });

  it("is on the node's disk in the chart", () => {
    const pod = read('charts/oci-registry/templates/_pod.tpl');
    expect(read('charts/oci-registry/templates/_env.tpl')).toContain('(dict "name" "TMPDIR" "value" "/tmp")');
    expect(pod).toMatch(/- name: tmp\n +mountPath: \/tmp\n/);
    expect(pod).toMatch(/- name: tmp\n +emptyDir: \{\}\n/);
    expect(pod).not.toContain('medium: Memory');
  });

  it('is not in /tmp in the systemd unit', () => {
    expect(read('contrib/systemd/oci-registry.service')).toMatch(/^Environment=.* TMPDIR=\/var\/tmp$/m);
  });
});
