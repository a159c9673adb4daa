import { rename, symlink, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { UpstreamsService } from '../../../src/upstream/upstreams.service.js';
import { makeCertificate } from '../../fixtures/certificate.js';
import { makeBlob, type FixtureBlob } from '../../fixtures/images.js';
import { Receiver } from '../events/support/receiver.js';
import { until } from '../support/until.js';
import { entry, manifestPath, Scene, soon } from './support/scene.js';

const mediaType = 'application/vnd.oci.image.index.v1+json';
const index = (note: string) => JSON.stringify({ schemaVersion: 2, mediaType, manifests: [], annotations: { note } });

async function push(scene: Scene, tag: string, note = tag, namespace = 'local.test'): Promise<number> {
  const path = `/v2/${namespace}/team/app/manifests/${tag}`;
  return (await scene.mirror.request.put(path).type(mediaType).send(index(note))).status;
}

async function upload(scene: Scene, blob: FixtureBlob): Promise<number> {
  const path = `/v2/local.test/team/app/blobs/uploads/?digest=${blob.digest}`;
  return (await scene.mirror.request.post(path).type('application/octet-stream').send(blob.body)).status;
}

describe('credentials', () => {
  it('follow the file with the map of them', async () => {
    await using scene = await Scene.make();
    const one = await scene.registry({ auth: 'basic', anonymous: false });
    const map = (password: string) => JSON.stringify({ 'one.test': { username: 'user', password } });
    const file = scene.folder.file('credentials.json');
    await writeFile(file, map('planted-wrong'));
    await scene.start(entry('one.test', one), { server: { upstreamCredentialsFile: file } });
    expect(await scene.statusOf()).not.toBe(200);
    await scene.replace('credentials.json', map('planted-password'));
    await scene.becomes(200);
    await scene.says('one.test changed (password)');
    await scene.replace('credentials.json', '{');
    await scene.says(/--upstream-credentials|UPSTREAM_CREDENTIALS/);
    expect(await scene.statusOf(manifestPath('one.test', 'v1'))).toBe(200);
    expect(scene.mirror.log).not.toContain('planted');
  });

  it('follow a password file, through the links of Kubernetes too, and the upstream keeps its connections', async () => {
    await using scene = await Scene.make();
    const one = await scene.registry({ auth: 'basic', anonymous: false });
    const file = scene.folder.file('password');
    await writeFile(scene.folder.file('one'), 'planted-wrong\n');
    await symlink('one', file);
    await scene.start(entry('one.test', one, `username: user, password_file: '${file}'`));
    const [, before] = [...scene.mirror.app.get(UpstreamsService).all];
    expect(await scene.statusOf()).not.toBe(200);
    await writeFile(scene.folder.file('two'), 'planted-password\n');
    await symlink('two', scene.folder.file('link'));
    await rename(scene.folder.file('link'), file);
    await scene.becomes(200);
    await scene.says('one.test changed (password_file)');
    expect([...scene.mirror.app.get(UpstreamsService).all][1]).toBe(before);
    expect(scene.mirror.log).not.toContain('planted');
  });
});

describe('a CA file', () => {
  it('counts for the connections that are opened after its change, and a damaged one changes nothing', async () => {
    await using scene = await Scene.make();
    const pair = makeCertificate();
    const one = await scene.registry({ tls: pair });
    const file = scene.folder.file('ca.pem');
    await writeFile(file, makeCertificate().cert);
    const yaml = `- { namespace: one.test, host: '${one.host}', ca_file: '${file}' }\n`;
    await scene.start(yaml);
    expect(await scene.statusOf()).not.toBe(200);
    await scene.replace('ca.pem', pair.cert.slice(0, 200));
    await scene.says(/upstreams\[0\]\.ca_file: a file: contains a damaged certificate.*what was read before stays/);
    await scene.replace('ca.pem', pair.cert);
    await scene.becomes(200);
    await scene.says('one.test changed (ca_file)');
  });
});

describe('hosted namespaces', () => {
  it('are added, and their rules and quotas change, while what was counted stays', async () => {
    await using scene = await Scene.make();
    const one = await scene.registry();
    await scene.start(entry('one.test', one), { server: { allowAnonymousPush: true } });
    const hosted = (more: string) =>
      scene.replace('upstreams.yaml', `- { namespace: local.test, hosted: true${more} }\n`);
    expect(await push(scene, 'v1')).toBe(405);
    await hosted(', max_size: 1KiB');
    await scene.says('hosted local.test added');
    expect(await push(scene, 'v1')).toBe(201);
    const blob = makeBlob(5_000, 'quota');
    expect(await upload(scene, blob)).toBe(403);
    await hosted(', max_size: 1MiB');
    await until('it fits', async () => (await upload(scene, blob)) === 201, soon);
    await hosted(", max_size: 1MiB, immutable_tags: ['v*']");
    await scene.says('hosted local.test changed (immutable_tags)');
    expect([await push(scene, 'v1', 'other'), await push(scene, 'latest')]).toEqual([403, 201]);
    expect(scene.reloads.rejected).toBeUndefined();
  });

  it('stay read-only while they have content, and are not mirrored then', async () => {
    await using scene = await Scene.make();
    const one = await scene.registry();
    const local = '- { namespace: local.test, hosted: true }\n';
    const other = '- { namespace: empty.test, hosted: true }\n';
    await scene.start(local + other, { server: { allowAnonymousPush: true } });
    const path = manifestPath('local.test', 'pushed');
    expect(await push(scene, 'pushed')).toBe(201);
    await scene.replace('upstreams.yaml', entry('one.test', one));
    await scene.says('local.test has pushed content and is not configured as hosted: it is served read-only');
    const statuses = [
      await scene.statusOf(path),
      await push(scene, 'pushed'),
      await push(scene, 'x', 'x', 'empty.test'),
    ];
    expect(statuses).toEqual([200, 405, 405]);
    expect(scene.mirror.log).not.toContain('empty.test has pushed content');
    await scene.replace('upstreams.yaml', entry('local.test', one));
    await scene.says('local.test has pushed content: it becomes an upstream at the next start only');
    expect([await scene.statusOf(path), await scene.statusOf(manifestPath('local.test'))]).toEqual([200, 404]);
    await scene.replace('upstreams.yaml', local + entry('empty.test', one));
    await scene.says('hosted local.test added');
    expect([await scene.statusOf(path), await scene.statusOf(manifestPath('empty.test'))]).toEqual([200, 200]);
    expect(await push(scene, 'again')).toBe(201);
    // What was cached of a registry is not taken for pushed.
    await scene.replace('upstreams.yaml', local + other);
    await scene.says('hosted empty.test added');
    expect(await scene.statusOf(manifestPath('empty.test'))).toBe(404);
    expect(await push(scene, 'v1', 'pushed', 'empty.test')).toBe(201);
  });
});

describe('the webhooks file', () => {
  it('is followed: events that wait go to the new URL, and webhooks are added and removed', async () => {
    await using scene = await Scene.make();
    await using gone = await Receiver.start();
    await using here = await Receiver.start();
    gone.answer = () => 500;
    const file = scene.folder.file('webhooks.yaml');
    const hook = (name: string, url: string) =>
      `- { name: ${name}, url: '${url}', token_file: '${scene.folder.file('token')}' }\n`;
    await writeFile(scene.folder.file('token'), 'planted-one');
    await writeFile(file, hook('ci', gone.url));
    const server = { webhooksFile: file, allowAnonymousPush: true };
    await scene.start('- { namespace: local.test, hosted: true }\n', { server });
    await push(scene, 'first');
    await gone.until(1);
    await scene.replace('webhooks.yaml', hook('ci', here.url) + hook('audit', here.url));
    await scene.says(/webhook ci changed \(url\); webhook audit added/);
    await here.until(1);
    await push(scene, 'second');
    await here.until(3);
    await scene.replace('token', 'planted-two');
    await scene.says('webhook ci changed (token_file); webhook audit changed (token_file)');
    await push(scene, 'third');
    await here.until(5);
    expect(here.received.map(({ headers }) => headers.authorization).slice(-2)).toEqual(
      Array(2).fill('Bearer planted-two'),
    );
    expect(here.events.map(({ target }) => target.tag)).toEqual(['first', 'second', 'second', 'third', 'third']);
    await scene.replace('webhooks.yaml', '[]\n');
    await scene.says('webhook ci removed; webhook audit removed');
    expect(await push(scene, 'fourth')).toBe(201);
    await scene.replace('webhooks.yaml', hook('ci', 'ftp://planted-host'));
    await scene.says(/webhooks\[0\]\.url: .*webhooks\.yaml, line 1.*what was read before stays/);
    expect(here.received).toHaveLength(5);
    expect(scene.mirror.log).not.toContain('planted');
  });
});
