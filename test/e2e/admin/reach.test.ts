import { describe, expect, it } from 'vitest';
import { Secret } from '../../../src/config/values/secret.js';
import { rawRequest } from '../support/raw.js';
import { Stage } from '../support/stage.js';
import { AdminAddress, token } from './support.js';

const routes = [
  ['GET', '/_admin/usage'],
  ['GET', '/_admin/repositories'],
  ['GET', '/_admin/status'],
  ['GET', '/_admin/sweep'],
  ['POST', '/_admin/sweep'],
  ['POST', '/_admin/sweep?dry_run'],
  ['POST', '/_admin/gc'],
  ['GET', '/_admin/reload'],
  ['POST', '/_admin/reload'],
  ['POST', '/_admin/gc?dry_run'],
  ['GET', '/_admin/scrub'],
  ['POST', '/_admin/scrub'],
  ['POST', '/_admin/warm'],
  ['GET', '/_admin/explain?ref=registry.test/team/app:1.0'],
  ['POST', '/_admin/registry.test/team/app/manifests/1.0'],
  ['DELETE', '/_admin/registry.test/team/app/manifests/1.0'],
  ['DELETE', `/_admin/team/app/blobs/sha256:${'a'.repeat(64)}?ns=registry.test`],
] as const;

const withToken = { server: { adminToken: new Secret(token) } };

/** An answer without what differs between any two answers. */
async function look(url: string, method: string, path: string, headers: readonly string[] = []) {
  const { headers: got, ...rest } = await rawRequest(url, path, { method, headers });
  const same = Object.entries(got).filter(([name]) => name !== 'date' && name !== 'x-request-id');
  return { ...rest, body: rest.body.toString(), headers: Object.fromEntries(same) };
}

describe('the main address', () => {
  it.each([
    ['without a token in the configuration', {}, [`authorization: Bearer ${token}`]],
    ['without a token in the request', withToken, []],
    ['with a wrong token', withToken, [`authorization: Bearer ${token}x`]],
    ['with a shorter token', withToken, [`authorization: Bearer ${token.slice(0, -1)}`]],
    ['with the token as a password', withToken, [`authorization: Basic ${btoa(`admin:${token}`)}`]],
    ['with no scheme', withToken, [`authorization: ${token}`]],
  ])('shows nothing %s', async (_, options, headers) => {
    await using stage = await Stage.start(options);
    for (const [method, path] of routes) {
      const unknown = await look(stage.mirror.url, method, '/_nothing/here', headers);
      expect(unknown.status).toBe(method === 'GET' ? 404 : 405);
      expect(await look(stage.mirror.url, method, path, headers), path).toEqual(unknown);
    }
    expect(stage.mirror.log).not.toContain('planted-');
  });

  it('answers to the token, from any host and page', async () => {
    await using stage = await Stage.start(withToken);
    for (const path of ['/_admin/usage', 'http://m/_admin/usage', '/_admin/usage?x=1']) {
      const headers = [`authorization: bearer ${token}`, 'origin: http://dashboard.example'];
      expect((await rawRequest(stage.mirror.url, path, { headers })).status, path).toBe(200);
    }
    expect(stage.mirror.log).not.toContain('planted-');
    await stage.mirror.settled();
    expect(stage.mirror.log).toContain('"path":"/_admin/usage","status":200');
  });
});

describe.each(['the main address', 'the admin address'])('%s', (which) => {
  it.each([
    '/%5Fadmin/usage',
    '/%5fadmin/usage',
    '/_adm%69n/usage',
    '/_admin%2Fusage',
    '//_admin/usage',
    '/./_admin/usage',
  ])('has nothing at another spelling: %s', async (path) => {
    await using stage = await Stage.start(withToken);
    await using admin = await AdminAddress.open(stage);
    const url = which === 'the admin address' ? admin.url : stage.mirror.url;
    const headers = [`authorization: Bearer ${token}`];
    expect(await look(url, 'GET', path, headers)).toEqual(await look(url, 'GET', '/_nothing/here', headers));
  });
});

describe('the admin address', () => {
  it('needs no token, and has the usual errors', async () => {
    await using stage = await Stage.start();
    await using admin = await AdminAddress.open(stage);
    const usage = await admin.request.get('/_admin/usage').expect(200).expect('content-type', 'application/json');
    expect(usage.body).toMatchObject({ bytes: expect.any(Number) as number, objects: 0, damaged: 0 });
    expect(usage.headers['cache-control']).toBe('no-store');
    const missing = await admin.request.delete('/_admin/registry.test/team/app/manifests/1.0').expect(404);
    expect(missing.body).toMatchObject({ errors: [{ code: 'MANIFEST_UNKNOWN' }] });
    const malformed = await admin.request.delete('/_admin/registry.test/team/APP/manifests/1.0').expect(400);
    expect(malformed.body).toMatchObject({ errors: [{ code: 'NAME_INVALID' }] });
    const digest = await admin.request.delete('/_admin/registry.test/team/app/blobs/sha256:abc').expect(400);
    expect(digest.body).toMatchObject({ errors: [{ code: 'DIGEST_INVALID' }] });
  });

  it.each(['/', '/v2', '/v2/', '/v2/registry.test/team/app/tags/list', '/_admin', '/_admin/', '/_admin/x', '/metrics'])(
    'serves no %s',
    async (path) => {
      await using stage = await Stage.start();
      await using admin = await AdminAddress.open(stage);
      const response = await admin.request.get(path).expect(404);
      expect(response.body).toMatchObject({ errors: [{ code: 'NOT_FOUND' }] });
      expect(stage.asked).toEqual([]);
    },
  );

  it.each([
    ['a page of another site', ['origin: http://evil.example']],
    ['a sandboxed page', ['origin: null']],
    ['a page that only shows a picture', ['sec-fetch-site: cross-site']],
    ['a page on another port', ['sec-fetch-site: same-site']],
  ])('refuses what %s sends', async (_, headers) => {
    await using stage = await Stage.start();
    await using admin = await AdminAddress.open(stage);
    const own = [`host: ${new URL(admin.url).host}`];
    for (const [method, path] of routes) {
      const response = await rawHost(admin.url, method, path, [...own, ...headers]);
      expect(response, path).toContain('HTTP/1.1 403 ');
      expect(response).toContain('DENIED');
    }
    expect(await rawHost(admin.url, 'GET', '/_admin/usage', own)).toContain('HTTP/1.1 200 ');
  });

  it('refuses a name that somebody has pointed at it, except to who has the token', async () => {
    await using stage = await Stage.start(withToken);
    await using admin = await AdminAddress.open(stage);
    // The raw client's own Host is mirror.test.
    expect((await rawRequest(admin.url, '/_admin/usage')).status).toBe(403);
    const headers = [`authorization: Bearer ${token}`];
    expect((await rawRequest(admin.url, '/_admin/usage', { headers })).status).toBe(200);
  });
});

/** As `rawRequest`, with a Host of one's own. */
async function rawHost(url: string, method: string, path: string, headers: readonly string[]): Promise<string> {
  const { talk } = await import('../support/raw.js');
  const lines = [`${method} ${path} HTTP/1.1`, 'connection: close', ...headers];
  return (await talk(url, `${lines.join('\r\n')}\r\n\r\n`)).toString();
}
