import { hash as bcrypt } from 'bcryptjs';
import { readFile, writeFile } from 'node:fs/promises';
import type { Response } from 'supertest';
import { describe, expect, it } from 'vitest';
import { parseChallenges } from '../../../src/oci/challenge.js';
import { makeImage } from '../../fixtures/images.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { Folder } from '../support/folder.js';
import { Scrape } from '../support/metrics.js';
import { Mirror } from '../support/mirror.js';
import { until } from '../support/until.js';

/** A mirror of one registry with an image, behind rules, and people. */
async function setUp(rules: string, more = '') {
  const folder = await Folder.make();
  const upstream = await FakeRegistry.start();
  const image = makeImage();
  upstream.addImage('team/app', image, ['v1']);
  const password = await bcrypt('secret', 4);
  await writeFile(folder.file('htpasswd'), `anna:${password}\nbert:${password}\n`);
  const mirror = await Mirror.start({
    upstreams: [{ namespace: 'registry.test', host: upstream.host }],
    hosted: [{ namespace: 'local' }],
    access: `users_file: ${folder.file('htpasswd')}\n${more}rules:\n${rules}`,
  });
  const close = async () => {
    await mirror[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  };
  return { mirror, upstream, image, folder, [Symbol.asyncDispose]: close };
}

const basic = (user: string, password = 'secret') => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const path = '/v2/registry.test/team/app/manifests/v1';

function challengeOf(response: Response): Record<string, string> {
  const headers = response.headers as Record<string, string>;
  const [challenge, ...more] = parseChallenges([headers['www-authenticate'] ?? '']);
  expect(more).toEqual([]);
  expect(challenge?.scheme).toBe('bearer');
  return Object.fromEntries(challenge!.parameters);
}

/** As a client does it. */
async function tokenFor(mirror: Mirror, response: Response, authorization?: string): Promise<string> {
  const { realm, service = '', scope = '' } = challengeOf(response);
  const url = new URL(realm!);
  const request = mirror.request.get(url.pathname).query({ service, scope });
  const answer = await (authorization === undefined ? request : request.set('authorization', authorization));
  expect(answer.status).toBe(200);
  const { token, access_token: same, expires_in: lifetime, issued_at: none } = answer.body as Record<string, unknown>;
  expect({ same, lifetime, none }).toEqual({ same: token, lifetime: 300, none: undefined });
  return token as string;
}

const rules = `
  - { repositories: ['registry.test/team/**'], who: ['user:anna'], may: [pull] }
`;

describe('signing in', () => {
  it('by the token protocol gets what the rules allow, and nothing else', async () => {
    await using scene = await setUp(rules);
    const { mirror } = scene;
    const version = await mirror.request.get('/v2/');
    expect(version.status).toBe(401);
    expect(challengeOf(version)).toEqual({ realm: `${mirror.url}/token`, service: 'oci-registry' });
    expect((await mirror.request.head('/v2/')).status).toBe(401);
    const refused = await mirror.request.get(path);
    expect(refused.status).toBe(401);
    expect(challengeOf(refused)).toMatchObject({ scope: 'repository:registry.test/team/app:pull' });
    const anna = await tokenFor(mirror, refused, basic('anna'));
    expect((await mirror.request.get(path).set('authorization', `Bearer ${anna}`)).status).toBe(200);
    expect((await mirror.request.get('/v2/').set('authorization', `Bearer ${anna}`)).status).toBe(200);
    // Warm, and cached as a response.
    expect((await mirror.request.get(path).set('authorization', `Bearer ${anna}`)).status).toBe(200);
    expect((await mirror.request.get(path)).status).toBe(401);
    const anonymous = await tokenFor(mirror, refused);
    const again = await mirror.request.get(path).set('authorization', `Bearer ${anonymous}`);
    expect([again.status, again.body]).toMatchObject([
      401,
      { errors: [{ code: 'UNAUTHORIZED', message: 'sign in to pull registry.test/team/app' }] },
    ]);
    const bert = await tokenFor(mirror, refused, basic('bert'));
    expect((await mirror.request.get(path).set('authorization', `Bearer ${bert}`)).status).toBe(403);
  });

  it('with Basic at once works without a challenge', async () => {
    await using scene = await setUp(rules);
    const { mirror } = scene;
    expect((await mirror.request.get(path).set('authorization', basic('anna'))).status).toBe(200);
    const denied = await mirror.request.get(path).set('authorization', basic('bert'));
    expect(denied.status).toBe(403);
    expect(denied.body).toMatchObject({
      errors: [{ code: 'DENIED', message: 'user:bert may not pull registry.test/team/app' }],
    });
    const wrong = await mirror.request.get(path).set('authorization', basic('anna', 'wrong'));
    expect(wrong.status).toBe(401);
    expect(challengeOf(wrong)).toMatchObject({ error: 'invalid_token' });
    expect((await mirror.request.get('/v2/').set('authorization', basic('anna'))).status).toBe(200);
  });

  it('is not needed for what everybody may pull, with a token for something else either', async () => {
    await using scene = await setUp("  - { repositories: ['registry.test/**'], who: [anonymous], may: [pull] }");
    const { mirror } = scene;
    expect((await mirror.request.get(path)).status).toBe(200);
    const version = await mirror.request.get('/v2/');
    expect(version.status).toBe(401);
    const token = await tokenFor(mirror, version);
    for (const target of ['/v2/', path])
      expect((await mirror.request.get(target).set('authorization', `Bearer ${token}`)).status).toBe(200);
  });

  it('gets a challenge with more when the token is for less', async () => {
    await using scene = await setUp(rules);
    const { mirror } = scene;
    const token = await tokenFor(mirror, await mirror.request.get('/v2/'), basic('anna'));
    const refused = await mirror.request.get(path).set('authorization', `Bearer ${token}`);
    expect(refused.status).toBe(401);
    expect(challengeOf(refused)).toMatchObject({
      error: 'insufficient_scope',
      scope: 'repository:registry.test/team/app:pull',
    });
  });

  it('by POST of a form works as by GET', async () => {
    await using scene = await setUp(rules);
    const { mirror } = scene;
    const post = (form: Record<string, string>) => mirror.request.post('/token').type('form').send(form);
    const scope = 'repository:registry.test/team/app:pull repository:other:pull,push(x)';
    const answer = await post({ grant_type: 'password', username: 'anna', password: 'secret', service: 's', scope });
    expect(answer.status).toBe(200);
    const { access_token: token, scope: granted } = answer.body as Record<string, string>;
    expect(granted).toBe('repository:registry.test/team/app:pull');
    expect((await mirror.request.get(path).set('authorization', `Bearer ${token}`)).status).toBe(200);
    expect((await post({ grant_type: 'password', username: 'anna', password: 'x', scope })).status).toBe(401);
    expect((await post({ grant_type: 'refresh_token', refresh_token: 'x' })).status).toBe(400);
    expect((await post({ grant_type: 'password', username: 'anna', password: 'x'.repeat(70_000) })).status).toBe(413);
  });

  it.each(['Basic', 'Basic !', 'Bearer', 'Bearer a b', 'Digest x', 'Basic Og', `Bearer ${'a'.repeat(15_000)}`])(
    'with a header of nonsense is refused: %s',
    async (header) => {
      await using scene = await setUp(rules);
      const { status } = await scene.mirror.request.get(path).set('authorization', header);
      expect([400, 401]).toContain(status);
    },
  );

  it('takes credentials that it does not know for none, if it is told to', async () => {
    await using scene = await setUp(
      "  - { repositories: ['registry.test/**'], who: [anonymous], may: [pull] }",
      'unknown_credentials: anonymous\n',
    );
    const { mirror } = scene;
    expect((await mirror.request.get(path).set('authorization', basic('hub-user'))).status).toBe(200);
    expect((await mirror.request.get('/v2/').set('authorization', basic('hub-user'))).status).toBe(200);
    // A pull has more requests than the failures that cost nothing, of an unknown user or a known one.
    for (let count = 0; count < 8; count += 1)
      for (const [user, password] of [
        ['hub-user', 'hub'],
        ['anna', 'hub'],
      ] as const)
        for (const target of ['/token', path])
          expect((await mirror.request.get(target).set('authorization', basic(user, password))).status).toBe(200);
  });

  it('gets of many scopes those that fit into a token which it can send', async () => {
    await using scene = await setUp("  - { repositories: ['local/**'], who: ['user:anna'], may: [pull, push] }");
    const { mirror } = scene;
    const scopes = Array.from(
      { length: 90 },
      (_, index) => `repository:local/${'long/'.repeat(38)}app${index}:pull,push`,
    );
    const form = { service: 'x', grant_type: 'password', username: 'anna', password: 'secret' };
    const answer = await mirror.request
      .post('/token')
      .type('form')
      .send(new URLSearchParams({ ...form, scope: scopes.join(' ') }).toString());
    expect(answer.status).toBe(200);
    const { token, scope } = answer.body as { token: string; scope: string };
    const granted = scope.split(' ');
    expect(token.length).toBeLessThanOrEqual(8192);
    expect(token.length).toBeGreaterThan(6000);
    expect(granted).toEqual(scopes.slice(0, granted.length));
    expect((await mirror.request.get('/v2/').set('authorization', `Bearer ${token}`)).status).toBe(200);
  });

  it('at a host that would add parameters to the challenge gets a challenge without it', async () => {
    await using scene = await setUp(rules);
    const response = await scene.mirror.request.get('/v2/').set('host', 'a",error="x');
    expect(challengeOf(response)).toEqual({ realm: 'http://localhost/token', service: 'oci-registry' });
  });

  it('with two headers is refused', async () => {
    await using scene = await setUp(rules);
    const { status } = await fetch(`${scene.mirror.url}${path}`, {
      headers: [
        ['authorization', basic('bert')],
        ['authorization', basic('anna')],
      ],
    });
    expect(status).toBe(400);
  });

  it('pushes with push, and pulls what it pushed; deletes only with delete', async () => {
    await using scene = await setUp("  - { repositories: ['local/{user}/**'], who: [authenticated], may: [push] }");
    const { mirror } = scene;
    const digest = 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a';
    const target = (user: string) => `/v2/local/${user}/app/blobs/uploads/?digest=${digest}`;
    const push = (user: string, as?: string) => {
      const request = mirror.request.post(target(user)).type('application/octet-stream');
      return (as === undefined ? request : request.set('authorization', basic(as))).send('{}');
    };
    expect((await push('anna')).status).toBe(401);
    expect((await push('anna', 'bert')).status).toBe(403);
    expect((await push('anna', 'anna')).status).toBe(201);
    const blob = `/v2/local/anna/app/blobs/${digest}`;
    expect((await mirror.request.get(blob).set('authorization', basic('anna'))).status).toBe(200);
    expect((await mirror.request.get(blob).set('authorization', basic('bert'))).status).toBe(403);
    expect((await mirror.request.delete(blob).set('authorization', basic('anna'))).status).toBe(403);
    const challenged = await mirror.request.post('/v2/local/anna/app/blobs/uploads/');
    expect(challengeOf(challenged)).toMatchObject({ scope: 'repository:local/anna/app:pull,push' });
  });

  it('is in the audit log, with the rule and without secrets', async () => {
    await using folder = await Folder.make();
    {
      await using scene = await setUp(rules, `audit_log: ${folder.file('audit')}\n`);
      const { mirror } = scene;
      const refused = await mirror.request.get(path);
      const token = await tokenFor(mirror, refused, basic('anna'));
      await mirror.request.get(path).set('authorization', `Bearer ${token}`);
      await mirror.request.get(path).set('authorization', basic('bert'));
      await mirror.request.get(path).set('authorization', basic('anna', 'wrong'));
    }
    const text = await readFile(folder.file('audit'), 'utf8');
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const about = { action: 'pull', repository: 'registry.test/team/app', reference: 'v1', address: '127.0.0.1' };
    expect(lines).toMatchObject([
      { ...about, subject: 'anonymous', allowed: false, refusal: 'authentication required' },
      { ...about, subject: 'user:anna', issuer: 'htpasswd', allowed: true, rule: 0 },
      { ...about, subject: 'user:bert', allowed: false, refusal: 'user:bert may not pull registry.test/team/app' },
      { ...about, allowed: false, refusal: 'the credentials are not valid' },
    ]);
    expect(text).not.toMatch(/secret|wrong|Bearer|Basic|eyJ/);
  });
});

describe('a refusal at the token endpoint', () => {
  it('is a line of the audit log, as elsewhere', async () => {
    await using folder = await Folder.make();
    {
      await using scene = await setUp(rules, `audit_log: ${folder.file('audit')}\n`);
      const { mirror } = scene;
      const form = { grant_type: 'password', service: 'x', username: 'anna', password: 'planted' };
      const statuses = [
        (await mirror.request.get('/token').set('authorization', basic('anna', 'planted'))).status,
        (await mirror.request.post('/token').type('form').send(form)).status,
        (await mirror.request.get('/token').set('authorization', 'planted')).status,
        (await mirror.request.get('/token').set('authorization', basic('anna'))).status,
      ];
      expect(statuses).toEqual([401, 401, 400, 200]);
      for (let index = 0; index < 3; index += 1)
        await mirror.request.get('/token').set('authorization', basic('anna', `planted-${index}`));
      await mirror.request.get('/token').set('authorization', basic('bert', 'planted'));
    }
    const text = await readFile(folder.file('audit'), 'utf8');
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const about = { action: 'sign in', address: '127.0.0.1', allowed: false, request: expect.any(String) as string };
    const refusals = ['the credentials are not valid', 'the Authorization header is malformed'];
    const [credentials, malformed] = refusals.map((refusal) => ({ ...about, refusal }));
    expect(lines).toMatchObject([credentials, credentials, malformed, ...Array<unknown>(4).fill(credentials)]);
    expect(text).not.toMatch(/planted|secret|Basic/);
  });
});

describe('an audit log that cannot be written', () => {
  it('leaves requests as they are, and is counted', async () => {
    const admin = "  - { repositories: ['**'], who: ['user:bert'], may: [admin] }\n";
    await using scene = await setUp(rules + admin, 'audit_log: /nowhere/audit\n');
    const { mirror } = scene;
    for (const user of ['anna', 'anna', 'bert'])
      expect((await mirror.request.get(path).set('authorization', basic(user))).status).toBe(
        user === 'anna' ? 200 : 403,
      );
    const missing = async () => (await Scrape.of(mirror.url)).get('oci_registry_audit_lines_dropped_total');
    await until('three lines are missing', async () => (await missing()) === 3);
    const page = await mirror.request.get('/').set('authorization', basic('bert')).set('accept', 'text/html');
    expect(page.text).toMatch(/\d decisions are missing in the audit log/);
    expect(mirror.log).toContain('the audit log cannot be written: ENOENT');
  });
});

describe('metrics of access', () => {
  it('count sign-ins and decisions by result, in the same series whatever clients send', async () => {
    await using scene = await setUp(rules);
    const { mirror } = scene;
    const series = (await Scrape.of(mirror.url)).series.filter((name) => /sign_ins|decisions/.test(name));
    const token = await tokenFor(mirror, await mirror.request.get(path), basic('anna'));
    for (const header of [
      basic('anna'),
      basic('bert'),
      basic('anna', 'wrong'),
      basic('planted'),
      `Bearer ${token}`,
      'x',
    ])
      await mirror.request.get(path).set('authorization', header);
    const scrape = await Scrape.of(mirror.url);
    const signIns = (method: string, result: string) =>
      scrape.get(`oci_registry_sign_ins_total{method="${method}",result="${result}"}`);
    expect([signIns('password', 'accepted'), signIns('password', 'credentials')]).toEqual([3, 2]);
    expect([signIns('token', 'accepted'), signIns('other', 'malformed')]).toEqual([1, 1]);
    const decisions = (result: string) =>
      scrape.get(`oci_registry_access_decisions_total{right="pull",result="${result}"}`);
    expect([decisions('allowed'), decisions('denied')]).toEqual([2, 2]);
    expect(scrape.series.filter((name) => /sign_ins|decisions/.test(name))).toEqual(series);
    expect(scrape.text).not.toContain('planted');
  });
});
