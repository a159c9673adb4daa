import { describe, expect, it } from 'vitest';
import { FakeRegistry } from '../fakes/fake-registry.js';
import { makeImage } from '../fixtures/images.js';
import { expectError } from './support/error-document.js';
import { Mirror } from './support/mirror.js';
import { rawRequest } from './support/raw.js';
import { storedFiles } from './support/stored-files.js';

const image = makeImage({ layers: [16] });
const { digest } = image.manifest;
const blob = image.layers[0]!.digest;

async function stage() {
  const registry = await FakeRegistry.start();
  registry.addImage('team/app', image, ['1']);
  registry.addImage('library/x', image, ['1']);
  const mirror = await Mirror.start({
    server: { defaultNamespace: 'registry.test', unknownNamespaces: 'deny' },
    upstreams: [
      { namespace: 'registry.test', host: registry.host },
      { namespace: 'docker.io', host: registry.host },
    ],
  });
  return {
    registry,
    mirror,
    async [Symbol.asyncDispose]() {
      await mirror[Symbol.asyncDispose]();
      await registry.close();
    },
  };
}

/** Refused with the specification's error document. */
const hostile: [why: string, target: string, status: number, code: string][] = [
  ['an encoded slash', '/v2/registry.test%2Fteam%2Fapp/manifests/1', 400, 'NAME_INVALID'],
  ['an encoded slash in lower case', '/v2/registry.test%2fteam%2fapp/manifests/1', 400, 'NAME_INVALID'],
  ['an encoded slash inside the name', '/v2/registry.test/team%2Fapp/manifests/1', 400, 'NAME_INVALID'],
  ['an encoded slash before the endpoint', '/v2/registry.test/team/app%2Fmanifests/1', 404, 'NOT_FOUND'],
  ['an encoded slash in the reference', '/v2/registry.test/team/app/manifests/x%2F1', 400, 'TAG_INVALID'],
  ['an encoded slash after v2', '/v2%2Fregistry.test/team/app/manifests/1', 404, 'NOT_FOUND'],
  ['the internal spelling', '/v2/docker.io%2Flibrary%2Fx/manifests/1', 400, 'NAME_INVALID'],
  ['the internal spelling, encoded again', '/v2/docker.io%252Flibrary%252Fx/manifests/1', 400, 'NAME_INVALID'],
  ['the internal spelling, noun encoded', '/v2/docker.io%2Flibrary%2Fx/%6danifests/1', 400, 'NAME_INVALID'],
  ['the internal spelling, v2 encoded', '/%76%32/docker.io%2Flibrary%2Fx/manifests/1', 400, 'NAME_INVALID'],
  ['the internal spelling with a fragment', '/v2/docker.io%2Flibrary%2Fx/manifests/1#/x/y', 404, 'NOT_FOUND'],
  ['the internal spelling, absolute', 'http://m/v2/docker.io%2Flibrary%2Fx/manifests/1', 400, 'NAME_INVALID'],
  ['the internal spelling of a blob', `/v2/docker.io%2Flibrary%2Fx/blobs/${blob}`, 400, 'NAME_INVALID'],
  ['the internal spelling of tags', '/v2/docker.io%2Flibrary%2Fx/tags/list', 400, 'NAME_INVALID'],
  ['the internal spelling of tags, encoded', '/v2/docker.io%2Flibrary%2Fx/tags/%6cist', 400, 'NAME_INVALID'],
  ['the internal spelling of referrers', `/v2/docker.io%2Flibrary%2Fx/referrers/${digest}`, 400, 'NAME_INVALID'],
  ['dots', '/v2/registry.test/team/../app/manifests/1', 400, 'NAME_INVALID'],
  ['a dot', '/v2/registry.test/team/./app/manifests/1', 400, 'NAME_INVALID'],
  ['encoded dots', '/v2/registry.test/team/%2e%2e/app/manifests/1', 400, 'NAME_INVALID'],
  ['dots for a host', '/v2/../team/app/manifests/1', 400, 'NAME_INVALID'],
  ['dots for a host before v2', '/../v2/team/app/manifests/1', 400, 'NAME_INVALID'],
  ['encoded dots for a host', '/v2/%2e%2e/%2e%2e/etc/manifests/passwd', 400, 'NAME_INVALID'],
  ['dots in the reference', '/v2/registry.test/team/app/manifests/..', 400, 'TAG_INVALID'],
  ['encoded dots in the reference', '/v2/registry.test/team/app/blobs/%2e%2e', 400, 'DIGEST_INVALID'],
  ['dots that lead out of v2', '/v2/../../etc/passwd', 404, 'NOT_FOUND'],
  ['two slashes at the start', '//v2/registry.test/team/app/manifests/1', 404, 'NOT_FOUND'],
  ['two slashes after v2', '/v2//team/app/manifests/1', 400, 'NAME_INVALID'],
  ['two slashes after the host', '/v2/registry.test//team/app/manifests/1', 400, 'NAME_INVALID'],
  ['two slashes in the name', '/v2/registry.test/team//app/manifests/1', 400, 'NAME_INVALID'],
  ['two slashes before the endpoint', '/v2/registry.test/team/app//manifests/1', 400, 'NAME_INVALID'],
  ['two slashes before the reference', '/v2/registry.test/team/app/manifests//1', 404, 'NOT_FOUND'],
  ['a semicolon in the name', '/v2/registry.test/team;x=1/app/manifests/1', 400, 'NAME_INVALID'],
  ['a semicolon in the reference', '/v2/registry.test/team/app/manifests/1;x=1', 400, 'TAG_INVALID'],
  ['a semicolon in place of the query', '/v2/team/app/manifests/1;ns=docker.io', 400, 'TAG_INVALID'],
  ['a fragment', '/v2/registry.test/team/app/manifests/1#x', 400, 'TAG_INVALID'],
  ['a backslash', '/v2/registry.test/team\\app/manifests/1', 400, 'NAME_INVALID'],
  ['upper case in the name', '/v2/registry.test/Team/app/manifests/1', 400, 'NAME_INVALID'],
  ['upper case in v2', '/V2/registry.test/team/app/manifests/1', 404, 'NOT_FOUND'],
  ['upper case in the endpoint', '/v2/registry.test/team/app/Manifests/1', 404, 'NOT_FOUND'],
  [
    'upper case in the algorithm',
    `/v2/registry.test/team/app/blobs/${blob.replace('sha', 'SHA')}`,
    400,
    'DIGEST_INVALID',
  ],
  [
    'upper case in the digest',
    `/v2/registry.test/team/app/blobs/sha256:${blob.slice(7).toUpperCase()}`,
    400,
    'DIGEST_INVALID',
  ],
  ['a slash at the end', '/v2/registry.test/team/app/manifests/1/', 404, 'NOT_FOUND'],
  ['a slash after a list', '/v2/registry.test/team/app/tags/list/', 404, 'NOT_FOUND'],
  ['no reference', '/v2/registry.test/team/app/manifests/', 404, 'NOT_FOUND'],
  ['no digest', '/v2/registry.test/team/app/blobs/', 404, 'NOT_FOUND'],
  ['no repository at all', '/v2/manifests/1', 404, 'NOT_FOUND'],
  ['NUL in the name', '/v2/registry.test/team%00/app/manifests/1', 400, 'NAME_INVALID'],
  ['NUL in the reference', '/v2/registry.test/team/app/manifests/1%00', 400, 'TAG_INVALID'],
  ['NUL in the host', '/v2/registry.test%00/team/app/manifests/1', 400, 'NAME_INVALID'],
  ['a line break in the reference', '/v2/registry.test/team/app/manifests/1%0d%0ax:%20y', 400, 'DIGEST_INVALID'],
  ['a line break in the name', '/v2/registry.test/team%0a/app/manifests/1', 400, 'NAME_INVALID'],
  ['an overlong encoding of a slash', '/v2/registry.test/team%c0%afapp/manifests/1', 400, 'NAME_INVALID'],
  ['an overlong encoding in the reference', '/v2/registry.test/team/app/manifests/%c0%af', 400, 'TAG_INVALID'],
  ['an overlong encoding elsewhere', '/v2/%c0%af', 404, 'NOT_FOUND'],
  ['half an escape', '/v2/registry.test/team/app/manifests/%', 400, 'TAG_INVALID'],
  ['a letter that only looks like one', '/v2/registry.test/te%C3%A1m/app/manifests/1', 400, 'NAME_INVALID'],
  ['a letter whose lower case is ASCII', '/v2/registry.test/%E2%84%AAey/manifests/1', 400, 'NAME_INVALID'],
  ['a host with such a letter', '/v2/doc%E2%84%AAer.io/library/x/manifests/1', 400, 'NAME_INVALID'],
  ['a name of 256 characters', `/v2/registry.test/${'a'.repeat(256)}/manifests/1`, 400, 'NAME_INVALID'],
  ['a name of 3,000 characters', `/v2/registry.test/${'a'.repeat(3_000)}/manifests/1`, 400, 'NAME_INVALID'],
  ['a name of 10,000 characters', `/v2/registry.test/${'a/'.repeat(5_000)}b/manifests/1`, 400, 'NAME_INVALID'],
  ['a tag of 129 characters', `/v2/registry.test/team/app/manifests/${'a'.repeat(129)}`, 400, 'TAG_INVALID'],
  ['a tag of 10,000 characters', `/v2/registry.test/team/app/manifests/${'a'.repeat(10_000)}`, 400, 'TAG_INVALID'],
  [
    'a digest of 10,000 characters',
    `/v2/registry.test/team/app/blobs/sha256:${'a'.repeat(10_000)}`,
    400,
    'DIGEST_INVALID',
  ],
  ['a host of 300 characters', `/v2/${'a'.repeat(300)}.test/team/app/manifests/1`, 400, 'NAME_INVALID'],
  ['a star', '*', 404, 'NOT_FOUND'],
  ['two ns', '/v2/team/app/manifests/1?ns=registry.test&ns=docker.io', 400, 'NAME_INVALID'],
  ['two equal ns', '/v2/team/app/manifests/1?ns=registry.test&ns=registry.test', 400, 'NAME_INVALID'],
  ['ns and the host before v2 that differ', '/docker.io/v2/team/app/manifests/1?ns=registry.test', 400, 'NAME_INVALID'],
  ['ns with a user', '/v2/team/app/manifests/1?ns=user:pw@registry.test', 400, 'NAME_INVALID'],
  ['ns with a scheme', '/v2/team/app/manifests/1?ns=http://registry.test', 400, 'NAME_INVALID'],
  ['ns with a path', '/v2/team/app/manifests/1?ns=registry.test/v2', 400, 'NAME_INVALID'],
  ['ns with an encoded path', '/v2/team/app/manifests/1?ns=registry.test%2Fv2', 400, 'NAME_INVALID'],
  ['ns with a query', '/v2/team/app/manifests/1?ns=registry.test%3Fx=1', 400, 'NAME_INVALID'],
  ['ns with a fragment', '/v2/team/app/manifests/1?ns=registry.test%23x', 400, 'NAME_INVALID'],
  ['ns with a space', '/v2/team/app/manifests/1?ns=registry.test%20', 400, 'NAME_INVALID'],
  ['ns with a plus', '/v2/team/app/manifests/1?ns=+registry.test', 400, 'NAME_INVALID'],
  ['ns with NUL', '/v2/team/app/manifests/1?ns=registry.test%00', 400, 'NAME_INVALID'],
  ['ns with a line break', '/v2/team/app/manifests/1?ns=registry.test%0d%0ahost:x', 400, 'NAME_INVALID'],
  ['ns with dots', '/v2/team/app/manifests/1?ns=..', 400, 'NAME_INVALID'],
  ['ns with an underscore', '/v2/team/app/manifests/1?ns=_.registry.test', 400, 'NAME_INVALID'],
  ['ns with port 0', '/v2/team/app/manifests/1?ns=registry.test:0', 400, 'NAME_INVALID'],
  ['ns with port 65536', '/v2/team/app/manifests/1?ns=registry.test:65536', 400, 'NAME_INVALID'],
  ['ns with two dots at its end', '/v2/team/app/manifests/1?ns=registry.test..', 400, 'NAME_INVALID'],
];

/** Odd, and yet legal: what they decode to is an ordinary URL. */
const legal: [why: string, target: string, namespace: string, repository: string][] = [
  ['an encoded host', '/v2/%64ocker.io/library/x/manifests/1', 'docker.io', 'library/x'],
  ['an encoded host before v2', '/%64ocker.io/v2/library/x/manifests/1', 'docker.io', 'library/x'],
  ['an encoded letter in the name', '/v2/registry.test/te%61m/app/manifests/1', 'registry.test', 'team/app'],
  ['an encoded endpoint', '/v2/registry.test/team/app/%6danifests/1', 'registry.test', 'team/app'],
  ['an encoded v2', '/%76%32/registry.test/team/app/manifests/1', 'registry.test', 'team/app'],
  ['an encoded tag', '/v2/registry.test/team/app/manifests/%31', 'registry.test', 'team/app'],
  [
    'an encoded colon',
    `/v2/registry.test/team/app/manifests/${digest.replace(':', '%3a')}`,
    'registry.test',
    'team/app',
  ],
  ['an encoded ns', '/v2/library/x/manifests/1?ns=docker%2Eio', 'docker.io', 'library/x'],
  ['an encoded name of ns', '/v2/library/x/manifests/1?%6es=docker.io', 'docker.io', 'library/x'],
  ['ns after other parameters', '/v2/library/x/manifests/1?a=b&&c&ns=docker.io&ns=', 'docker.io', 'library/x'],
  // A server must take the absolute form (RFC 9112 §3.2.2).
  ['the absolute form', 'http://anything.test:1/v2/team/app/manifests/1', 'registry.test', 'team/app'],
  [
    'the absolute form with ns',
    'HTTPS://anything.test/v2/library/x/manifests/1?ns=docker.io',
    'docker.io',
    'library/x',
  ],
];

describe('a hostile spelling of a URL', () => {
  it.each(hostile)('with %s is refused, and nobody is asked: %s', async (_, target, status, code) => {
    await using stage_ = await stage();
    const { mirror, registry } = stage_;
    const response = await rawRequest(mirror.url, target);
    expectError(response, status, code);
    const head = await rawRequest(mirror.url, target, { method: 'HEAD' });
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([
      status,
      response.headers['content-length'],
      0,
    ]);
    expect(registry.requests).toEqual([]);
    expect(await storedFiles(mirror.root)).toEqual([]);
  });
});

describe('an odd spelling of a URL', () => {
  it.each(legal)('with %s equals its decoded form: %s', async (_, target, namespace, repository) => {
    await using stage_ = await stage();
    const { mirror, registry } = stage_;
    const response = await rawRequest(mirror.url, target);
    expect([response.status, response.headers['oci-namespace']]).toEqual([200, namespace]);
    expect(response.body.equals(image.manifest.body)).toBe(true);
    expect(registry.requests.map((request) => request.repository)).toEqual([repository]);
  });
});
