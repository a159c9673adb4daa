import { describe, expect, it } from 'vitest';
import { foldTarget, repositoryBeside, type NamespaceRules } from '../../../src/distribution/request-target.js';
import { allowedMethods } from '../../../src/distribution/responses/allowed.methods.js';
import { makeBlob, makeImage } from '../../fixtures/images.js';
import { expectError } from '../support/error-document.js';
import { Mirror } from '../support/mirror.js';
import { Hosting, withQuery } from './support/hosting.js';

const rules: NamespaceRules = {
  defaultNamespace: 'docker.io',
  configured: new Set(['local', 'registry.example.com', 'mirror.test']),
  hosted: new Set(['local', 'registry.example.com']),
};
const fold = (target: string, host?: string) => foldTarget(target, rules, host);
const id = '0'.repeat(32);

describe('the folded target of an upload', () => {
  it.each([
    ['/v2/local/app/blobs/uploads/', 'local%2Fapp/blobs/uploads'],
    ['/v2/local/app/blobs/uploads', 'local%2Fapp/blobs/uploads'],
    ['/local/v2/app/blobs/uploads/', 'local%2Fapp/blobs/uploads'],
    ['/v2/app/blobs/uploads/?ns=local', 'local%2Fapp/blobs/uploads?ns=local'],
    ['/v2/local/app/blobs/uploads/?ns=local', 'local%2Fapp/blobs/uploads?ns=local'],
    [`/v2/local/app/blobs/uploads/${id}?epoch=1`, `local%2Fapp/blobs/uploads/${id}?epoch=1`],
    ['/v2/local/blobs/uploads/blobs/uploads/', 'local%2Fblobs%2Fuploads/blobs/uploads'],
    [`/v2/local/blobs/uploads/blobs/uploads/${id}`, `local%2Fblobs%2Fuploads/blobs/uploads/${id}`],
    ['/v2/local/a/blobs/uploads/manifests/1', 'local%2Fa%2Fblobs%2Fuploads/manifests/1'],
    ['/v2/local/a/blobs/uploads/tags/list', 'local%2Fa%2Fblobs%2Fuploads/tags/list'],
    ['/v2/local/a/blobs/uploads/blobs/sha256:0', 'local%2Fa%2Fblobs%2Fuploads/blobs/sha256%3A0'],
    ['/v2/local/manifests/blobs/uploads/', 'local%2Fmanifests/blobs/uploads'],
    ['/v2/local/%62lobs/app/blobs/upl%6fads/', 'local%2Fblobs%2Fapp/blobs/uploads'],
    ['/v2/app/blobs/uploads/', 'docker.io%2Fapp/blobs/uploads'],
    ['/v2/local/app/blobs/uploads/a%2Fb', 'local%2Fapp/blobs/uploads/!'],
  ])('of %s is /v2/%s', (target, folded) => expect(fold(target)).toBe(`/v2/${folded}`));

  it('is none without a name', () => {
    expect(fold('/v2/blobs/uploads/')).toBe('/v2/blobs/uploads/');
    expect(fold(`/v2/blobs/uploads/${id}`)).toBe(`/v2/blobs/uploads/${id}`);
  });
});

describe('the Host header', () => {
  it.each([
    ['registry.example.com', 'registry.example.com'],
    ['Registry.Example.COM.:443', 'registry.example.com'],
    ['local', 'local'],
    ['mirror.test', 'docker.io'],
    ['registry.example.com:5000', 'docker.io'],
    ['evil/../local', 'docker.io'],
    ['', 'docker.io'],
  ])('%s stands for the namespace %s where the URL names none', (host, namespace) => {
    expect(fold('/v2/team/app/manifests/1', host)).toBe(`/v2/${namespace}%2Fteam%2Fapp/manifests/1`);
    expect(fold('/v2/team/app/blobs/uploads/', host)).toBe(`/v2/${namespace}%2Fteam%2Fapp/blobs/uploads`);
  });

  it.each([
    ['/v2/local/app/manifests/1', 'local%2Fapp/manifests/1'],
    ['/v2/ghcr.io/app/manifests/1', 'ghcr.io%2Fapp/manifests/1'],
    ['/v2/app/manifests/1?ns=ghcr.io', 'ghcr.io%2Fapp/manifests/1?ns=ghcr.io'],
    ['/ghcr.io/v2/app/manifests/1', 'ghcr.io%2Fapp/manifests/1'],
    ['/v2/registry.example.com/app/manifests/1', 'registry.example.com%2Fapp/manifests/1'],
  ])('never overrides what %s names', (target, folded) =>
    expect(fold(target, 'registry.example.com')).toBe(`/v2/${folded}`),
  );

  it('keeps the cached responses of two namespaces apart', async () => {
    const hosted = [{ namespace: 'one.test' }, { namespace: 'two.test' }];
    await using hosting = await Hosting.start({ hosted });
    for (const { namespace } of hosted)
      await hosting.pushImage(makeImage({ seed: namespace }), '1', `${namespace}/app`);
    for (let round = 0; round < 3; round += 1) {
      for (const { namespace } of hosted) {
        const { headers } = await hosting.ask('GET', '/v2/app/manifests/1', { headers: [`host: ${namespace}`] });
        expect(headers['docker-content-digest']).toBe(makeImage({ seed: namespace }).manifest.digest);
      }
    }
  });
});

describe('the name in a list of tags', () => {
  it.each([
    ['/v2/reg.test/team/app/tags/list', 'reg.test/team/app'],
    ['/v2/team/app/tags/list?ns=reg.test&n=5', 'team/app'],
    ['/reg.test/v2/team/app/tags/list', 'team/app'],
    ['/v2/team/app/tags/list', 'team/app'],
  ])('is that of %s', async (target, name) => {
    await using hosting = await Hosting.start({ hosted: [{ namespace: 'reg.test' }] });
    await hosting.pushImage(makeImage({ seed: 'named' }), '1', 'reg.test/team/app');
    const { body } = await hosting.ask('GET', target, { headers: ['host: reg.test'] });
    expect(JSON.parse(body.toString())).toEqual({ name, tags: ['1'] });
  });
});

describe('the source of a mount', () => {
  it.each([
    ['/v2/local/app/blobs/uploads/', 'local/base', 'local/base'],
    ['/v2/app/blobs/uploads/?ns=local', 'base', 'local/base'],
    ['/local/v2/app/blobs/uploads/', 'base', 'local/base'],
    ['/v2/local/app/blobs/uploads/', 'docker.io/library/busybox', 'docker.io/library/busybox'],
    ['/v2/local/app/blobs/uploads/', 'busybox', 'docker.io/busybox'],
  ])('of %s with from=%s is %s', (target, from, repository) =>
    expect(repositoryBeside(from, target, rules)).toBe(repository),
  );

  it('is of the server’s own name, too', () =>
    expect(repositoryBeside('base', '/v2/app/blobs/uploads/', rules, 'registry.example.com')).toBe(
      'registry.example.com/base',
    ));
});

describe('the target of a catalog request', () => {
  it.each([
    ['/v2/_catalog', undefined, '/v2/_/_catalog'],
    ['/v2/_catalog?n=1', undefined, '/v2/_/_catalog?n=1'],
    ['/v2/_catalog?ns=local', undefined, '/v2/local/_catalog?ns=local'],
    ['/local/v2/_catalog', undefined, '/v2/local/_catalog'],
    ['/v2/local/_catalog', undefined, '/v2/local/_catalog'],
    ['/v2/_catalog', 'registry.example.com', '/v2/registry.example.com/_catalog'],
    ['/v2/x/_catalog', undefined, '/v2/x/_catalog'],
  ])('%s with Host %s is %s', (target, host, folded) => expect(fold(target, host)).toBe(folded));

  it('is that of no endpoint where nothing is hosted', async () => {
    await using mirror = await Mirror.start();
    expectError(
      await mirror.request.get('/v2/_catalog').then(({ status, headers, text }) => ({
        status,
        headers: headers,
        body: Buffer.from(text),
      })),
      404,
      'NOT_FOUND',
    );
  });
});

describe('the methods that Allow names', () => {
  it.each([
    ['/v2/local%2Fapp/manifests/1', 'PATCH', 'GET, HEAD, PUT, DELETE'],
    ['/v2/local%2Fapp/blobs/sha256:0', 'PUT', 'GET, HEAD, DELETE'],
    ['/v2/local%2Fapp/blobs/uploads', 'GET', 'POST'],
    [`/v2/local%2Fapp/blobs/uploads/${id}?epoch=1`, 'POST', 'GET, HEAD, PATCH, PUT, DELETE'],
    ['/v2/local%2Fapp/tags/list', 'DELETE', 'GET, HEAD'],
    ['/v2/mirror.test%2Fapp/manifests/1', 'PUT', 'GET, HEAD'],
    ['/v2/local%2Fapp/manifests/1', 'DELETE', 'GET, HEAD, PUT'],
  ])('of %s, without %s, are %s', (target, method, allow) =>
    expect(allowedMethods(target, method, rules.hosted)).toBe(allow),
  );
});

describe('the repository of a push', () => {
  const blob = makeBlob(100, 'targets');

  it.each([
    ['/v2/local/team/app', [], ''],
    ['/local/v2/team/app', [], ''],
    ['/v2/team/app', [], '?ns=local'],
    ['/v2/local/team/app', [], '?ns=local'],
    ['/v2/team/app', ['host: local'], ''],
    ['/v2/local/team/blobs/uploads', [], ''],
    ['/v2/local/blobs/uploads/blobs/uploads', [], ''],
    ['/v2/local/te%61m/app', [], ''],
  ])('is the same in every shape: %s %s %s', async (path, headers, query) => {
    await using hosting = await Hosting.start();
    const opened = await hosting.ask('POST', `${path}/blobs/uploads/${query}`, { headers, body: '' });
    expect(opened.status).toBe(202);
    expect(opened.headers.location).toMatch(new RegExp(`^${path}/blobs/uploads/[0-9a-f]{32}`));
    const patched = await hosting.ask('PATCH', opened.headers.location!, { headers, body: blob.body });
    expect(patched.status).toBe(202);
    const put = await hosting.ask('PUT', withQuery(patched.headers.location!, `digest=${blob.digest}`), {
      headers,
      body: '',
    });
    expect(put).toMatchObject({ status: 201, headers: { 'docker-content-digest': blob.digest } });
    const got = await hosting.ask('GET', put.headers.location!, { headers });
    expect(got.status).toBe(200);
    expect(got.body.equals(blob.body)).toBe(true);
    // The namespace of every shape is the same one.
    const name = decodeURIComponent(path).replace(/^(?:\/v2)?(?:\/local)?(?:\/v2)?\//, '');
    expect((await hosting.ask('HEAD', `/v2/${name}/blobs/${blob.digest}?ns=local`)).status).toBe(200);
  });

  it('cannot be mirrored: 405 at once, with the namespaces that are hosted, in every shape', async () => {
    await using hosting = await Hosting.start();
    for (const path of ['/v2/team/app', '/v2/docker.io/team/app', '/docker.io/v2/team/app', '/v2/mirror.test:5000/a']) {
      for (const [method, endpoint] of [
        ['POST', 'blobs/uploads/'],
        ['PATCH', `blobs/uploads/${id}`],
        ['PUT', `blobs/uploads/${id}?digest=${blob.digest}`],
        ['PUT', 'manifests/1'],
        ['DELETE', 'manifests/1'],
        ['DELETE', `blobs/${blob.digest}`],
      ] as const) {
        const refusal = await hosting.ask(method, `${path}/${endpoint}`, { body: '{}' });
        expectError(refusal, 405, 'UNSUPPORTED');
        expect(refusal.body.toString()).toContain('local');
        expect(refusal.headers.allow).toBe('GET, HEAD');
      }
    }
  });
});
