import { hash as bcrypt } from 'bcryptjs';
import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { request } from '../../fakes/request.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { makeImage } from '../../fixtures/images.js';
import { Folder } from '../support/folder.js';
import { Scrape } from '../support/metrics.js';
import { Mirror } from '../support/mirror.js';
import { MovingClock } from '../support/moving-clock.js';
import { until } from '../support/until.js';

const image = makeImage({ layers: [300_000] });
const manifest = '/v2/registry.test/team/app/manifests/v1';
const blob = `/v2/registry.test/team/app/blobs/${image.layers[0]!.digest}`;
const digest = 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a';
const basic = (user: string) => ({ authorization: `Basic ${Buffer.from(`${user}:secret`).toString('base64')}` });
const from = (address: string) => ({ 'x-forwarded-for': address });

async function anonymousToken(mirror: Mirror): Promise<string> {
  const query = { scope: 'repository:registry.test/team/app:pull' };
  const answer = await mirror.request.get('/token').query(query);
  return `Bearer ${(answer.body as { token: string }).token}`;
}

async function setUp(limits: string) {
  const folder = await Folder.make();
  const upstream = await FakeRegistry.start();
  upstream.addImage('team/app', image, ['v1']);
  const hash = await bcrypt('secret', 4);
  await writeFile(folder.file('htpasswd'), ['anna', 'bert'].map((name) => `${name}:${hash}\n`).join(''));
  const accessFile = folder.file('access.yaml');
  const write = (text: string) =>
    writeFile(
      accessFile,
      `users_file: ${folder.file('htpasswd')}
trusted_proxies: [127.0.0.1/32]
limits:\n${text}
rules:
  - { repositories: ['registry.test/**'], who: [anonymous], may: [pull] }
  - { repositories: ['local/**'], who: [authenticated], may: [push] }
`,
    );
  await write(limits);
  const clock = new MovingClock();
  const mirror = await Mirror.start({
    server: { accessFile },
    clock,
    upstreams: [{ namespace: 'registry.test', host: upstream.host }],
    hosted: [{ namespace: 'local' }],
  });
  const send = async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
    // Most clients get an anonymous token first.
    const authorization = headers.authorization ?? (await anonymousToken(mirror));
    return request(`${mirror.url}${path}`, { method, headers: { ...headers, authorization } });
  };
  const statuses = async (count: number, path: string, headers: Record<string, string>, method?: string) => {
    const found: number[] = [];
    for (let index = 0; index < count; index += 1) found.push((await send(path, headers, method)).status);
    return found;
  };
  const close = async () => {
    await mirror[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  };
  return { mirror, clock, write, send, statuses, [Symbol.asyncDispose]: close };
}

describe('limits', () => {
  it('of pulls count GET of manifests by address, say when there is more, and end with their span', async () => {
    await using scene = await setUp('  - { who: [anonymous], pulls: 3/1h }');
    const { send, statuses, clock } = scene;
    expect(await statuses(5, manifest, from('192.0.2.1'), 'HEAD')).toEqual([200, 200, 200, 200, 200]);
    const first = await send(manifest, from('192.0.2.1'));
    expect(first.headers).toMatchObject({ 'ratelimit-limit': '3;w=3600', 'ratelimit-remaining': '2;w=3600' });
    expect(await statuses(2, manifest, from('192.0.2.1'))).toEqual([200, 200]);
    clock.pass(600);
    const refused = await send(manifest, from('192.0.2.1'));
    expect(refused.status).toBe(429);
    expect(refused.headers).toMatchObject({ 'ratelimit-remaining': '0;w=3600' });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(2_900);
    expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(3_000);
    expect(JSON.parse(refused.body.toString())).toMatchObject({
      errors: [{ code: 'TOOMANYREQUESTS', message: 'the limit of pulls has been reached: 3/1h' }],
    });
    // The layers of what has been pulled, other addresses, and those who sign in are not affected.
    expect(await statuses(1, blob, from('192.0.2.1'))).toEqual([200]);
    expect(await statuses(1, manifest, from('192.0.2.2'))).toEqual([200]);
    expect(await statuses(1, manifest, { ...from('192.0.2.1'), ...basic('anna') })).toEqual([200]);
    clock.pass(3_001);
    expect(await statuses(1, manifest, from('192.0.2.1'))).toEqual([200]);
    const scrape = await Scrape.of(scene.mirror.url);
    expect(scrape.get('oci_registry_rate_limited_requests_total{limit="pulls"}')).toBe(1);
  });

  it('count a /64 of IPv6 as one address, however it is written', async () => {
    await using scene = await setUp('  - { who: [anonymous], pulls: 2/1h }');
    const { statuses } = scene;
    expect(await statuses(1, manifest, from('2001:db8::1'))).toEqual([200]);
    expect(await statuses(1, manifest, from('2001:0db8:0:0:ffff::2'))).toEqual([200]);
    expect(await statuses(1, manifest, from('2001:db8:0:0:1:2:3:4'))).toEqual([429]);
    expect(await statuses(1, manifest, from('2001:db8:0:1::1'))).toEqual([200]);
  });

  it('of the first entry count, by identity at any address or by address with any identity', async () => {
    await using scene = await setUp(`
  - { who: ['user:bert'], pulls: 1/1h }
  - { who: [authenticated], per: address, pulls: 2/1h }`);
    const { statuses } = scene;
    expect(await statuses(1, manifest, { ...from('192.0.2.1'), ...basic('bert') })).toEqual([200]);
    expect(await statuses(1, manifest, { ...from('192.0.2.2'), ...basic('bert') })).toEqual([429]);
    expect(await statuses(3, manifest, { ...from('192.0.2.1'), ...basic('anna') })).toEqual([200, 200, 429]);
    expect(await statuses(1, manifest, { ...from('192.0.2.2'), ...basic('anna') })).toEqual([200]);
    expect(await statuses(4, manifest, from('192.0.2.1'))).toEqual([200, 200, 200, 200]);
  });

  it('of bytes refuse the next request and cut none', async () => {
    await using scene = await setUp('  - { who: [anonymous], bytes: 500kB/1h }');
    const { send, statuses, mirror } = scene;
    for (let round = 0; round < 2; round += 1) {
      const { status, body } = await send(blob);
      expect([status, body.length]).toEqual([200, image.layers[0]!.body.length]);
      await mirror.settled();
    }
    expect(await statuses(1, blob, {})).toEqual([429]);
    expect(await statuses(1, manifest, {})).toEqual([429]);
    expect(await statuses(1, blob, {}, 'HEAD')).toEqual([200]);
  });

  it('of pushes count manifests, and refuse a push before its layers', async () => {
    await using scene = await setUp("  - { who: ['user:anna'], pushes: 1/1h }");
    const push = (path: string, user: string, method: string, type: string, body: string) =>
      fetch(`${scene.mirror.url}/v2/local/${path}`, {
        method,
        headers: { ...basic(user), 'content-type': type },
        body,
      });
    const upload = (name: string, user: string) =>
      push(`${name}/blobs/uploads/?digest=${digest}`, user, 'POST', 'application/octet-stream', '{}');
    expect((await upload('app', 'anna')).status).toBe(201);
    const type = 'application/vnd.oci.image.manifest.v1+json';
    const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest, size: 2 };
    const text = JSON.stringify({ schemaVersion: 2, mediaType: type, config, layers: [config] });
    const put = (user: string) => push('app/manifests/v1', user, 'PUT', type, text);
    expect((await put('anna')).status).toBe(201);
    expect((await put('anna')).status).toBe(429);
    expect((await upload('other', 'anna')).status).toBe(429);
    expect((await upload('other', 'bert')).status).toBe(201);
  });

  it('change with the file, and what was used of those that stay counts on', async () => {
    const kept = '  - { who: [anonymous], pulls: 1/1h }\n';
    await using scene = await setUp(kept);
    const { statuses, write } = scene;
    expect(await statuses(2, manifest, {})).toEqual([200, 429]);
    await write(`  - { who: ['user:anna'], pulls: 1/1h }\n${kept}`);
    await until('the other one counts', async () => (await statuses(1, manifest, basic('anna')))[0] === 429);
    expect(await statuses(1, manifest, {})).toEqual([429]);
    await write('  - { who: [anonymous], pulls: 10/1h }\n');
    await until('there is more', async () => (await statuses(1, manifest, {}))[0] === 200);
  });
});

describe('the anonymous limit, once it is used up', () => {
  it('is a challenge for a request without credentials: some clients send theirs only then', async () => {
    await using scene = await setUp('  - { who: [anonymous], pulls: 1/1h, pushes: 1/1h }');
    const plain = () => request(`${scene.mirror.url}${manifest}`);
    expect((await plain()).status).toBe(200);
    const challenged = await plain();
    expect(challenged.status).toBe(401);
    expect(challenged.headers['www-authenticate']).toBe(
      `Bearer realm="${scene.mirror.url}/token",service="oci-registry",scope="repository:registry.test/team/app:pull"`,
    );
    expect(JSON.parse(challenged.body.toString())).toEqual({
      errors: [{ code: 'UNAUTHORIZED', message: 'the anonymous limit of pulls is used up: 1/1h' }],
    });
    expect(await scene.statuses(1, manifest, basic('anna'))).toEqual([200]);
    const refused = await scene.send(manifest);
    expect([refused.status, Number(refused.headers['retry-after']) > 0]).toEqual([429, true]);
    const scrape = await Scrape.of(scene.mirror.url);
    expect(scrape.get('oci_registry_rate_limited_requests_total{limit="pulls"}')).toBe(1);
  });

  it.each([
    ['the others have the same one', '', [200, 429]],
    ['somebody has one of their own', "  - { who: ['user:bert'], pulls: 1/1h }\n", [200, 401]],
  ])('where %s', async (_, before, statuses) => {
    await using scene = await setUp(`${before}  - { who: [anonymous, authenticated], per: address, pulls: 1/1h }`);
    for (const status of statuses) expect((await request(`${scene.mirror.url}${manifest}`)).status).toBe(status);
  });
});
