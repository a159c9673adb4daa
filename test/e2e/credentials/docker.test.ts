import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readNamespaces } from '../../../src/config/upstream-file.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { HelperPrograms } from '../../fakes/helper-programs.js';
import { makeImage } from '../../fixtures/images.js';
import { Folder } from '../support/folder.js';
import { Mirror } from '../support/mirror.js';
import { MovingClock } from '../support/moving-clock.js';

const image = makeImage({ layers: [1_000], seed: 'docker credentials' });
const auth = (user: string) => ({ auth: Buffer.from(`${user}:planted-password-of-${user}`).toString('base64') });

/** A registry that needs a password, and a mirror that has it from Docker's files and helpers. */
class Place implements AsyncDisposable {
  readonly clock = new MovingClock();
  mirror!: Mirror;
  private pulled = 0;

  private constructor(
    readonly registry: FakeRegistry,
    readonly folder: Folder,
    readonly programs: HelperPrograms,
  ) {}

  static async make(): Promise<Place> {
    const registry = await FakeRegistry.start({ auth: 'basic' });
    return new Place(registry, await Folder.make(), await HelperPrograms.make());
  }

  /** @param credentials as in the upstream file. @param root folder of an earlier mirror */
  async start(credentials: string, root?: string): Promise<void> {
    const { host } = this.registry;
    const { upstreams } = readNamespaces(
      `- { namespace: team.test, host: "${host}", credentials: ${credentials} }`,
      undefined,
    );
    const { credentialSources } = upstreams[0]!;
    this.mirror = await Mirror.start({
      upstreams: [{ namespace: 'team.test', host, credentialSources }],
      clock: this.clock,
      ...(root !== undefined && { root }),
    });
  }

  /** The registry takes this user alone. */
  admit(user: string): void {
    Object.assign(this.registry.behaviour, { username: user, password: `planted-password-of-${user}` });
  }

  /** Status of a pull of a repository that nobody has pulled. */
  async pull(folder = 'app'): Promise<number> {
    const repository = `${folder}/${(this.pulled += 1)}`;
    this.registry.addImage(repository, image, ['latest']);
    const { status } = await this.mirror.request.get(`/v2/team.test/${repository}/manifests/latest`);
    return status;
  }

  /** As kubelet does it. */
  async publishSecret(version: string, user: string): Promise<string> {
    const { folder } = this;
    await mkdir(folder.file(version));
    const text = JSON.stringify({ auths: { [this.registry.host]: auth(user) } });
    await writeFile(folder.file(`${version}/.dockerconfigjson`), text);
    await symlink(version, folder.file('..data_tmp'));
    await rename(folder.file('..data_tmp'), folder.file('..data'));
    return folder.file('..data/.dockerconfigjson');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mirror[Symbol.asyncDispose]();
    expect(this.mirror.log).not.toContain('planted-password');
    await this.registry[Symbol.asyncDispose]();
    await this.programs[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

let place: Place;
beforeEach(async () => {
  place = await Place.make();
});
afterEach(() => place[Symbol.asyncDispose]());

describe('docker_config', () => {
  it('follows a Secret of Kubernetes that is replaced, without a restart', async () => {
    const file = await place.publishSecret('..2026_1', 'anna');
    await place.start(`{ docker_config: { file: ${file} } }`);
    place.admit('anna');
    expect(await place.pull()).toBe(200);
    await place.publishSecret('..2026_2', 'bert');
    place.admit('bert');
    place.clock.pass(2);
    expect(await place.pull()).toBe(200);
    expect(await place.pull()).toBe(200);
  });

  it('signs in to each repository with the entry of the longest path', async () => {
    const { registry, folder } = place;
    const auths = { [registry.host]: auth('host'), [`${registry.host}/team`]: auth('team') };
    await writeFile(folder.file('auth.json'), JSON.stringify({ auths }));
    await place.start(`{ docker_config: { file: ${folder.file('auth.json')} } }`);
    place.admit('team');
    expect(await place.pull('team')).toBe(200);
    expect(await place.pull('teams')).toBe(401);
    place.admit('host');
    expect(await place.pull('teams')).toBe(200);
    expect(await place.pull('team')).toBe(401);
  });

  it('keeps what it has while a new version of the file is not valid', async () => {
    const { registry, folder } = place;
    const file = folder.file('config.json');
    const text = JSON.stringify({ auths: { [registry.host]: auth('anna') } });
    await writeFile(file, text);
    await place.start(`{ docker_config: { file: ${file} } }`);
    place.admit('anna');
    expect(await place.pull()).toBe(200);
    await writeFile(file, text.slice(0, -10));
    place.clock.pass(2);
    expect(await place.pull()).toBe(200);
    expect(await place.pull()).toBe(200);
  });
});

describe('helper', () => {
  const give = (user: string) =>
    `echo run >>"$OUT/runs"; sleep 0.2; echo '{"Username":"${user}","Secret":"planted-password-of-${user}"}'`;
  const runs = async () => (await place.programs.note('runs')).split('\n').length - 1;

  it('runs once for all who wait, and again when the registry refuses what it gave', async () => {
    const { programs } = place;
    await programs.add('shop', give('anna'));
    await place.start('{ helper: { name: shop } }');
    place.admit('anna');
    expect(await Promise.all(Array.from({ length: 10 }, () => place.pull()))).toEqual(Array(10).fill(200));
    expect(await runs()).toBe(1);
    await programs.add('shop', give('bert'));
    place.admit('bert');
    place.clock.pass(60);
    expect(await place.pull()).toBe(200);
    expect(await runs()).toBe(2);
  });

  it('that is missing is a 503 that names the source, while what is cached is served', async () => {
    await place.programs.add('shop', give('anna'));
    await place.start('{ helper: { name: shop } }', place.folder.file('data'));
    place.admit('anna');
    expect(await place.pull()).toBe(200);
    await place.mirror[Symbol.asyncDispose]();
    await place.start('{ helper: { name: absent } }', place.folder.file('data'));
    place.clock.pass(3_600);
    const known = await place.mirror.request.get('/v2/team.test/app/1/manifests/latest');
    expect({ status: known.status, cache: known.headers['x-cache'] }).toEqual({ status: 200, cache: 'STALE' });
    place.registry.addImage('app/new', image, ['latest']);
    const { status, text } = await place.mirror.request.get('/v2/team.test/app/new/manifests/latest');
    expect({ status, text }).toEqual({ status: 503, text: expect.stringContaining('helper') as string });
    expect(place.mirror.log).toContain('docker-credential-absent is not in PATH');
  });
});
