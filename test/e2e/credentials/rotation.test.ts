import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { makeImage } from '../../fixtures/images.js';
import { sizes } from '../../sizes.js';
import { Folder } from '../support/folder.js';
import { until } from '../support/until.js';
import { CredentialStage } from './stage.js';

const image = makeImage({ layers: [1_000] });

/** A mounted secret: Kubernetes replaces the folder that a symbolic link names. */
class MountedSecret {
  private version = 0;
  readonly passwordFile: string;

  constructor(private readonly folder: string) {
    this.passwordFile = join(folder, 'password');
  }

  async set(password: string): Promise<void> {
    this.version += 1;
    const name = `..version-${this.version}`;
    await mkdir(join(this.folder, name));
    await writeFile(join(this.folder, name, 'password'), `${password}\n`);
    await symlink(name, join(this.folder, '..next'));
    await rename(join(this.folder, '..next'), join(this.folder, '..data'));
    if (this.version === 1) await symlink('..data/password', this.passwordFile);
  }
}

describe('a password file that others rotate', () => {
  it.each(['basic', 'bearer'] as const)(
    'each second fails no pull, by %s, while the registry accepts the current and the last one',
    async (auth) => {
      await using folder = await Folder.make();
      const secret = new MountedSecret(folder.path);
      await secret.set('password-0');
      const accepted = ['password-0'];
      const accepts = (user: string, password: string) => user === 'robot' && accepted.includes(password);
      const entry = { username: 'robot', password_file: secret.passwordFile };
      await using stage = await CredentialStage.start({ auth, accepts }, entry);
      stage.registry.addImage('team/app', image, ['1']);
      const statuses = new Map<number, number>();
      let isOver = false;
      const running = new Set<Promise<void>>();
      const pullOnce = async () => {
        const { status } = await stage.pull('team/app/manifests/1');
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      };
      const pullOn = async () => {
        while (!isOver) {
          const pull = pullOnce();
          running.add(pull);
          await pull.finally(() => running.delete(pull));
          await sleep(5);
        }
      };
      const clients = Promise.all(Array.from({ length: 4 }, pullOn));
      for (let round = 1; round <= sizes.rotations; round += 1) {
        // The registry promises the last password to whoever is no slower than a rotation.
        await Promise.all([sleep(1_000), ...running]);
        accepted.unshift(`password-${round}`);
        accepted.length = 2;
        // Its tokens end with the password that they were obtained with.
        if (auth === 'bearer') stage.registry.revokeTokens();
        await secret.set(`password-${round}`);
      }
      isOver = true;
      await clients;
      expect([...statuses.keys()]).toEqual([200]);
      expect(statuses.get(200)).toBeGreaterThan(sizes.rotations);
      const sent = stage.registry.requests.map(({ headers }) => headers.authorization ?? '');
      const passwords = new Set(sent.filter((value) => value.startsWith('Basic ')));
      // Each of them was accepted during two rotations.
      expect(passwords.size).toBeGreaterThanOrEqual(sizes.rotations / 2);
    },
    sizes.rotations * 3_000 + 30_000,
  );

  it('is not used while it is being written', async () => {
    await using folder = await Folder.make();
    const file = folder.file('password');
    await writeFile(file, 'planted-old');
    const accepts = (user: string, password: string) => user === 'robot' && /^planted-(old|new)$/.test(password);
    const entry = { username: 'robot', password_file: file };
    await using stage = await CredentialStage.start({ auth: 'basic', accepts }, entry);
    stage.registry.addImage('team/app', image, ['1']);
    const statuses = new Set<number>();
    const pull = async () => statuses.add((await stage.pull('team/app/manifests/1')).status);
    await pull();
    for (let length = 0; length <= 'planted-new'.length; length += 1) {
      await writeFile(file, 'planted-new'.slice(0, length));
      const written = performance.now();
      while (performance.now() - written < 120) await pull();
    }
    const sent = () => new Set(stage.registry.requests.map(({ headers }) => headers.authorization ?? ''));
    const basic = (password: string) => `Basic ${Buffer.from(`robot:${password}`).toString('base64')}`;
    await until('the new one is used', async () => (await pull(), sent().has(basic('planted-new'))), 10_000);
    expect([...statuses]).toEqual([200]);
    expect([...sent()].filter((value) => value.startsWith('Basic'))).toEqual(
      ['old', 'new'].map((end) => basic(`planted-${end}`)),
    );
  });

  it('counts at once when the registry refuses the earlier one', async () => {
    await using folder = await Folder.make();
    const file = folder.file('password');
    await writeFile(file, 'first');
    const entry = { credentials: { static: { username: 'robot', password_file: file } } };
    await using stage = await CredentialStage.start({ auth: 'basic', username: 'robot', password: 'first' }, entry);
    stage.registry.addImage('team/app', image, ['1']);
    expect((await stage.pull('team/app/manifests/1')).status).toBe(200);
    for (const password of ['second', 'third', 'fourth']) {
      stage.registry.behaviour.password = password;
      await writeFile(file, password);
      expect((await stage.pull('team/app/manifests/1')).status).toBe(200);
    }
  });

  it('changes nothing with a mistake in it', async () => {
    await using folder = await Folder.make();
    const file = folder.file('password');
    await writeFile(file, 'planted');
    const entry = { username: 'robot', password_file: file };
    await using stage = await CredentialStage.start({ auth: 'basic', username: 'robot', password: 'planted' }, entry);
    stage.registry.addImage('team/app', image, ['1']);
    expect((await stage.pull('team/app/manifests/1')).status).toBe(200);
    for (const content of ['', 'two\nlines']) {
      await writeFile(file, content);
      await sleep(1_050);
      expect((await stage.pull('team/app/manifests/1')).status).toBe(200);
    }
    expect(stage.mirror.log).toContain('must contain one line of text; those in use stay until their end');
    expect(stage.mirror.log).not.toContain('planted');
  });
});
