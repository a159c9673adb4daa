import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeRegistry, type FakeRegistryOptions } from '../../fakes/fake-registry.js';
import { type Reply, request } from '../../fakes/request.js';
import { acceptEverything, makeImage } from '../../fixtures/images.js';

const basic = `Basic ${Buffer.from('user:planted-password').toString('base64')}`;

let registry: FakeRegistry;

async function start(options: FakeRegistryOptions): Promise<void> {
  await registry.close();
  registry = await FakeRegistry.start(options);
  for (const repository of ['public/a', 'secret/b']) registry.addImage(repository, makeImage(), ['v1']);
  registry.behaviour.access['secret/b'] ??= 'private';
}

const pull = (repository: string, authorization?: string): Promise<Reply> =>
  request(`${registry.url}/v2/${repository}/manifests/v1`, {
    headers: { accept: acceptEverything, ...(authorization !== undefined && { authorization }) },
  });

const ask = (query: string, authorization?: string): Promise<Reply> =>
  request(`${registry.realm}?${query}`, { headers: authorization === undefined ? {} : { authorization } });

async function token(query: string, authorization?: string): Promise<string> {
  const { body } = await ask(query, authorization);
  const response = JSON.parse(body.toString()) as { token?: string; access_token?: string };
  return `Bearer ${response.token ?? response.access_token ?? 'none'}`;
}

beforeEach(async () => {
  registry = await FakeRegistry.start();
});

afterEach(async () => {
  expect(registry.failures).toEqual([]);
  await registry.close();
});

describe('FakeRegistry with Basic', () => {
  it('wants the right password', async () => {
    await start({ auth: 'basic' });
    const refused = await pull('public/a');
    expect(refused.status).toBe(401);
    expect(refused.headers['www-authenticate']).toBe('Basic realm="Fake Registry"');
    expect((await pull('public/a', `Basic ${Buffer.from('user:wrong').toString('base64')}`)).status).toBe(401);
    expect((await pull('public/a', basic)).status).toBe(200);
    registry.behaviour.access['public/a'] = 'denied';
    expect((await pull('public/a', basic)).status).toBe(403);
  });
});

describe('FakeRegistry with Bearer', () => {
  it('challenges, gives tokens for one repository, and takes them', async () => {
    await start({ auth: 'bearer' });
    const refused = await pull('public/a');
    expect(refused.status).toBe(401);
    expect(refused.headers['www-authenticate']).toBe(
      `Bearer realm="${registry.url}/token",service="fake-registry",scope="repository:public/a:pull"`,
    );
    const good = await token('service=fake-registry&scope=repository:public/a:pull');
    expect((await pull('public/a', good)).status).toBe(200);
    const elsewhere = await pull('secret/b', good);
    expect(elsewhere.status).toBe(401);
    expect(elsewhere.headers['www-authenticate']).toContain('error="insufficient_scope"');
    expect(registry.count({ kind: 'token' })).toBe(1);
    expect((await ask('service=other')).status).toBe(400);
    expect((await ask('service=fake-registry&scope=repository:public/a:pull,push')).status).toBe(403);
  });

  it('gives private repositories to those with credentials only', async () => {
    await start({ auth: 'bearer' });
    const query = 'service=fake-registry&scope=repository:secret/b:pull';
    expect((await pull('secret/b', await token(query))).status).toBe(401);
    expect((await pull('secret/b', await token(query, basic))).status).toBe(200);
    expect((await ask(query, 'Basic d3Jvbmc6d3Jvbmc=')).status).toBe(401);
    registry.behaviour.token.refusal = 401;
    expect((await ask(query)).status).toBe(401);
    registry.behaviour.anonymous = false;
    expect((await ask('service=fake-registry&scope=repository:public/a:pull')).status).toBe(401);
  });

  it('lets tokens expire, revokes them, and takes access away', async () => {
    await start({ auth: 'bearer', token: { lifetime: 0, expiresIn: undefined, field: 'access_token' } });
    const query = 'service=fake-registry&scope=repository:public/a:pull';
    expect(JSON.parse((await ask(query)).body.toString())).toEqual({ access_token: expect.any(String) as string });
    const stale = await pull('public/a', await token(query));
    expect(stale.headers['www-authenticate']).toContain('error="invalid_token"');
    registry.behaviour.token.lifetime = undefined;
    const good = await token(query);
    expect((await pull('public/a', good)).status).toBe(200);
    registry.behaviour.access['public/a'] = 'private';
    expect((await pull('public/a', good)).status).toBe(401);
    registry.behaviour.access['public/a'] = 'public';
    registry.revokeTokens();
    registry.behaviour.challenge.realmForInvalidToken = 'https://authn.example/token';
    expect((await pull('public/a', good)).headers['www-authenticate']).toContain('authn.example');
  });

  it('has the challenges of other registries', async () => {
    await start({ auth: 'bearer', challenge: { service: undefined, scope: 'placeholder', layout: 'joined' } });
    const bearer = `Bearer realm="${registry.realm}",scope="repository:user/image:pull"`;
    expect((await pull('public/a')).headers['www-authenticate']).toBe(`${bearer}, Basic realm="Fake Registry"`);
    expect((await pull('public/a', basic)).status).toBe(200);
    expect((await pull('public/a', await token('scope=repository:user/image:pull'))).status).toBe(401);
    registry.behaviour.challenge.layout = 'separate';
    expect((await pull('public/a')).headers['www-authenticate']).toBe(`Basic realm="Fake Registry", ${bearer}`);
    registry.behaviour.challenge.where = 'base';
    expect((await pull('public/a')).headers['www-authenticate']).toBeUndefined();
    expect((await request(`${registry.url}/v2/`)).headers['www-authenticate']).toContain(bearer);
  });

  it('knows a literal scope only, on a second port', async () => {
    await start({ auth: 'bearer', challenge: { scope: { literal: 'aws' } }, token: { separatePort: true } });
    expect(new URL(registry.realm).host).not.toBe(registry.host);
    expect((await pull('public/a')).headers['www-authenticate']).toContain('scope="aws"');
    const wrong = await token('service=fake-registry&scope=repository:public/a:pull');
    expect((await pull('public/a', wrong)).status).toBe(401);
    expect((await pull('public/a', await token('service=fake-registry&scope=aws'))).status).toBe(200);
  });
});
