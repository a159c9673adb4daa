import { rename, writeFile } from 'node:fs/promises';
import https from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { makeCertificate, type FixtureCertificate } from '../../fixtures/certificate.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { makeImage } from '../../fixtures/images.js';
import { Folder } from '../support/folder.js';
import { writeKeyPair } from '../support/key-pair.js';
import { Mirror } from '../support/mirror.js';
import { MovingClock } from '../support/moving-clock.js';
import { until } from '../support/until.js';

const path = '/v2/registry.test/team/app/manifests/v1';
const rules = `rules:
  - { repositories: ['registry.test/**'], who: ['certificate:*', 'certificate:**', 'user:anna', 'group:team'], may: [pull] }
`;
const valid: [number, number] = [-1, 1];

/** A server with TLS whose clients may have certificates of a CA. */
async function setUp(more = '') {
  const folder = await Folder.make();
  const upstream = await FakeRegistry.start();
  upstream.addImage('team/app', makeImage(), ['v1']);
  const authority = makeCertificate([], valid);
  await writeFile(folder.file('clients.pem'), authority.cert);
  const pair = await writeKeyPair(folder);
  const accessFile = folder.file('access.yaml');
  const write = (text: string) => writeFile(accessFile, text);
  const own = `client_certificates:\n  ca_file: ${folder.file('clients.pem')}\n${more}`;
  await write(own + rules);
  const clock = new MovingClock();
  const mirror = await Mirror.start({
    server: { accessFile, ...pair.server },
    clock,
    upstreams: [{ namespace: 'registry.test', host: upstream.host }],
  });
  const close = async () => {
    await mirror[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  };
  const agent = (client?: FixtureCertificate, options: ConnectionOptions = {}) =>
    new https.Agent({ keepAlive: true, maxSockets: 1, ca: pair.cert, ...client, ...options });
  return { folder, mirror, authority, clock, write, agent, [Symbol.asyncDispose]: close };
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly isReused: boolean;
}

function get(mirror: Mirror, agent: https.Agent, target = path, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = https.get(`${mirror.url}${target}`, { agent, headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text, isReused: request.reusedSocket }));
    });
    request.on('error', reject);
  });
}

const ofAnna = (authority: FixtureCertificate, days = valid) => makeCertificate([], days, authority, 'anna');

describe('a client certificate', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('counts as credentials over %s, in tokens too', async (version) => {
    await using scene = await setUp();
    const { mirror, authority } = scene;
    await withAgent(scene.agent(ofAnna(authority), { minVersion: version, maxVersion: version }), async (agent) => {
      expect(await get(mirror, agent)).toMatchObject({ status: 200 });
      expect(await get(mirror, agent, '/v2/')).toMatchObject({ status: 200 });
      const { text } = await get(mirror, agent, '/token?scope=repository:registry.test/team/app:pull');
      const { token } = JSON.parse(text) as { token: string };
      await withAgent(scene.agent(), async (plain) => {
        expect((await get(mirror, plain, path, { authorization: `Bearer ${token}` })).status).toBe(200);
        expect((await get(mirror, plain)).status).toBe(401);
        expect((await get(mirror, plain, '/v2/')).status).toBe(401);
      });
      // Credentials come first.
      expect((await get(mirror, agent, path, { authorization: 'Bearer x.y.z' })).status).toBe(401);
    });
  });

  it('of another CA, expired, or without a name is none, and the challenge says why', async () => {
    await using scene = await setUp();
    const { mirror, authority } = scene;
    const foreign = makeCertificate([], valid);
    const others: [FixtureCertificate, RegExp][] = [
      [
        ofAnna(foreign),
        /\((UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT_LOCALLY|CERT_SIGNATURE_FAILURE)\)/,
      ],
      [makeCertificate([], valid, undefined, 'anna'), /not accepted/],
      [ofAnna(authority, [-3, -2]), /\(CERT_HAS_EXPIRED\)/],
      [ofAnna(authority, [2, 3]), /\(CERT_NOT_YET_VALID\)/],
      [makeCertificate([], valid, authority, 'an"na'), /\(NO_IDENTITY\)/],
    ];
    for (const [certificate, reason] of others) {
      await withAgent(scene.agent(certificate), async (agent) => {
        const answer = await get(mirror, agent);
        expect(answer.status).toBe(401);
        expect(answer.text).toMatch(reason);
      });
    }
  });

  it('ends with its time, and with its CA, on a connection that stays open and in resumed sessions', async () => {
    await using scene = await setUp();
    const { mirror, authority, clock, folder } = scene;
    await withAgent(scene.agent(ofAnna(authority)), async (agent) => {
      expect((await get(mirror, agent)).status).toBe(200);
      const again = makeCertificate([], valid);
      await writeFile(folder.file('next.pem'), again.cert);
      await rename(folder.file('next.pem'), folder.file('clients.pem'));
      await until('the CA has gone', async () => {
        const answer = await get(mirror, agent);
        expect(answer.isReused).toBe(true);
        return answer.status === 401 && answer.text.includes('(UNKNOWN_CA)');
      });
      agent.destroy();
      expect((await get(mirror, agent)).status).toBe(401);
      await withAgent(scene.agent(ofAnna(again)), async (other) => {
        expect((await get(mirror, other)).status).toBe(200);
        clock.pass(2 * 86_400);
        const late = await get(mirror, other);
        expect(late).toMatchObject({ status: 401, isReused: true });
        expect(late.text).toContain('(CERT_HAS_EXPIRED)');
      });
    });
  });

  it.each([
    ['a user with the groups of the file', 'user:{cn}', 'anna', [], 'groups: { team: [anna] }\n', 200],
    ['nobody where the name is another', 'user:{cn}', 'bert', [], '', 403],
    ['a URI', 'certificate:{uri}', 'x', ['spiffe://cluster/ns/ci/sa/build'], '', 200],
    ['a mail address', 'certificate:{email}', 'x', ['anna@example.com'], '', 200],
    ['a host', 'certificate:{dns}', 'x', ['build.example.com', 'other.example.com'], '', 200],
  ])('stands for %s', async (_, identity, name, alternatives, more, status) => {
    await using scene = await setUp(`  identity: '${identity}'\n${more}`);
    await withAgent(scene.agent(makeCertificate(alternatives, valid, scene.authority, name)), async (agent) => {
      const answer = await get(scene.mirror, agent);
      expect(answer, answer.text).toMatchObject({ status });
    });
  });

  it('is asked for as soon as the file says so, and never read from a header', async () => {
    await using scene = await setUp();
    const { mirror, authority, folder } = scene;
    await scene.write(rules);
    const isAccepted = () =>
      withAgent(scene.agent(ofAnna(authority)), async (agent) => (await get(mirror, agent)).status === 200);
    await until('none is accepted', async () => !(await isAccepted()));
    await scene.write(`client_certificates: { ca_file: ${folder.file('clients.pem')} }\n${rules}`);
    await until('one is accepted', isAccepted);
    const header = encodeURIComponent(ofAnna(authority).cert);
    await withAgent(scene.agent(), async (agent) => {
      for (const name of ['x-ssl-cert', 'x-forwarded-client-cert', 'ssl-client-cert', 'x-client-cert'])
        expect((await get(mirror, agent, path, { [name]: header })).status).toBe(401);
    });
  });
});

async function withAgent<T>(agent: https.Agent, use: (agent: https.Agent) => Promise<T>): Promise<T> {
  try {
    return await use(agent);
  } finally {
    agent.destroy();
  }
}
