import { hash as bcrypt } from 'bcryptjs';
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { UpstreamsService } from '../../../src/upstream/upstreams.service.js';
import { makeCertificate } from '../../fixtures/certificate.js';
import { makeBlob, makeImage } from '../../fixtures/images.js';
import { sizes } from '../../sizes.js';
import { request } from '../../fakes/request.js';
import { until } from '../support/until.js';
import { entry, manifestPath, Scene } from './support/scene.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Open sockets and timers of this process, and bytes of its heap. */
function used(): { readonly resources: number; readonly heap: number } {
  collect();
  const resources = process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate').length;
  return { resources, heap: process.memoryUsage().heapUsed };
}

describe('reloads', { timeout: 600_000 }, () => {
  it(`leave nothing behind: no socket, no timer, no upstream, after ${sizes.reloads} of them`, async () => {
    await using scene = await Scene.make();
    const one = await scene.registry();
    const mirror = await scene.start(entry('one.test', one));
    // Each has a connection of its own, and half of them a name of their own.
    const step = async (count: number) => {
      const more = `tag_ttl: 0s, max_connections: ${2 + (count % 2)}`;
      const name = `r${count}.test`;
      await writeFile(scene.upstreamFile, entry('one.test', one, more) + entry(name, one, more));
      // The look of each second may have been faster.
      expect((await scene.reloads.reload()).result).not.toBe('rejected');
      if (count % 10 === 0)
        for (const namespace of ['one.test', name]) expect(await scene.statusOf(manifestPath(namespace))).toBe(200);
    };
    const warmUp = Math.ceil(sizes.reloads / 4);
    for (let count = 0; count < warmUp; count += 1) await step(count);
    const before = used();
    for (let count = warmUp; count < sizes.reloads; count += 1) await step(count);
    await until('connections of former upstreams are closed', () => one.openSockets <= 4, 30_000);
    const after = used();
    expect([...mirror.app.get(UpstreamsService).all]).toHaveLength(3);
    expect(scene.reloads.counts.applied).toBeGreaterThanOrEqual(sizes.reloads);
    expect(after.resources - before.resources).toBeLessThan(10);
    expect(after.heap - before.heap).toBeLessThan(20_000_000);
  });

  it(`of everything each second fail no pull in ${sizes.secondsOfReloads} s (P25)`, async () => {
    await using scene = await Scene.make();
    const pair = makeCertificate();
    const one = await scene.registry({ auth: 'basic', anonymous: false, tls: pair });
    const two = await scene.registry();
    const blobs = Array.from({ length: 400 }, (_, index) => makeBlob(20_000, `reload ${index}`));
    for (const registry of [one, two]) for (const blob of blobs) registry.addBlob('team/app', blob);
    for (let index = 0; index < 50; index += 1) one.addImage('team/app', makeImage({ seed: index }), [`t${index}`]);
    const hash = await bcrypt('secret', 4);
    const at = (name: string) => scene.folder.file(name);
    const authority = makeCertificate();
    let round = 0;
    const ca = () => (round % 2 === 0 ? pair.cert : pair.cert + makeCertificate().cert);
    const passwords: string[] = [];
    one.behaviour.accepts = (_, password) => passwords.includes(password);
    // The registry takes the current password and the last one.
    const write = async () => {
      round += 1;
      const password = `planted-password-${round}`;
      const first = `username: user, password_file: '${at('password')}', ca_file: '${at('ca.pem')}', tag_ttl: ${1 + (round % 5)}s`;
      const extra = entry(`r${round % 7}.test`, two);
      passwords.splice(0, passwords.length - 1);
      passwords.push(password);
      await scene.replace('password', `${password}\n`);
      await scene.replace('ca.pem', ca());
      const own = makeCertificate(undefined, undefined, authority);
      await scene.replace('tls.crt', own.cert);
      await scene.replace('tls.key', own.key);
      await scene.replace('htpasswd', `anna:${hash}\nr${round}:${hash}\n`);
      const rule = `{ repositories: ['**'], who: [anonymous, 'user:anna'], may: [pull, push] }`;
      await scene.replace('access.yaml', `users_file: ${at('htpasswd')}\nrules: [${rule}]\n# ${round}\n`);
      await scene.replace('token', `planted-token-${round}\n`);
      const hook = `- { name: ci, url: 'http://127.0.0.1:${(round % 9) + 1}', token_file: '${at('token')}', events: [push] }\n`;
      await scene.replace('webhooks.yaml', hook);
      const local = `- { namespace: local.test, hosted: true, max_size: ${round + 10}MiB }\n`;
      const yaml = entry('one.test', one, first).replace('tls: false', 'tls: true') + entry('two.test', two);
      await scene.replace('upstreams.yaml', yaml + extra + local);
      await scene.replace('credentials.json', JSON.stringify({ [`c${round % 3}.test`]: { username: 'u', password } }));
    };
    await write();
    const files = { upstreamCredentialsFile: at('credentials.json'), webhooksFile: at('webhooks.yaml') };
    const tls = { tlsCert: at('tls.crt'), tlsKey: at('tls.key') };
    const text = await scene.read('upstreams.yaml');
    const mirror = await scene.start(text, { server: { ...files, ...tls, accessFile: at('access.yaml') } });
    const failures: string[] = [];
    let pulls = 0;
    const stopped = new AbortController();
    const client = async (number: number) => {
      for (let turn = number; !stopped.signal.aborted; turn += 4) {
        const blob = blobs[turn % blobs.length]!;
        const paths = [
          manifestPath('one.test', `t${turn % 50}`),
          `/v2/one.test/team/app/blobs/${blob.digest}`,
          `/v2/two.test/team/app/blobs/${blob.digest}`,
        ];
        for (const path of paths) {
          const { status, body } = await request(`${mirror.url}${path}`, { ca: authority.cert });
          pulls += 1;
          const isWhole = path.includes('/manifests/') || body.equals(blob.body);
          if (status !== 200 || !isWhole) failures.push(`${path}: ${status} ${body.toString().slice(0, 200)}`);
        }
      }
    };
    const clients = [0, 1, 2, 3].map(client);
    const end = performance.now() + sizes.secondsOfReloads * 1_000;
    while (performance.now() < end) {
      await sleep(1_000);
      await write();
    }
    stopped.abort();
    await Promise.all(clients);
    expect(failures).toEqual([]);
    expect(pulls).toBeGreaterThan(sizes.secondsOfReloads);
    expect(scene.reloads.counts.applied).toBeGreaterThan(sizes.secondsOfReloads / 4);
    expect([scene.reloads.counts.rejected, scene.reloads.rejected]).toEqual([0, undefined]);
    expect(mirror.log).not.toContain('planted');
    mirror.app.getHttpServer().closeAllConnections();
  });
});
