import { describe, expect, it } from 'vitest';
import { makeImage } from '../../fixtures/images.js';
import { expectError } from '../support/error-document.js';
import { Hosting } from './support/hosting.js';

const first = makeImage({ layers: [100], seed: 'one' });
const second = makeImage({ layers: [100], seed: 'two' });
const manifests = '/v2/local/app/manifests';
const [one, two] = [first.manifest.digest, second.manifest.digest];

/** `v1` and `v2` name the first image; the second is without a tag. */
async function start() {
  const hosting = await Hosting.start();
  await hosting.pushImage(first, 'v1');
  await hosting.pushImage(first, 'v2');
  await hosting.pushImage(second, two);
  const put = (target: string, condition: string, type = second.manifest.mediaType) =>
    hosting.ask('PUT', `${manifests}/${target}`, {
      body: second.manifest.body,
      headers: [`content-type: ${type}`, ...(condition === '' ? [] : [condition])],
    });
  const digestOf = async (tag: string) => {
    const { status, headers } = await hosting.ask('HEAD', `${manifests}/${tag}`);
    return status === 200 ? headers['docker-content-digest'] : status;
  };
  return { hosting, put, digestOf, [Symbol.asyncDispose]: () => hosting[Symbol.asyncDispose]() };
}

describe('If-Match and If-None-Match', () => {
  it.each([
    ['the tag of the path', 'v2'],
    ['a tag with ?digest=', `v2?digest=${two}`],
    ['the only tag of ?tag=', `${two}?tag=v2`],
    ['the last tag of ?tag=', `${two}?tag=new&tag=v2`],
    ['the tag of ?tag= beside that of the path', 'new?tag=v2'],
    ['the tag of ?tag= beside a tag with ?digest=', `new?digest=${two}&tag=v2`],
  ])('hold for %s', async (_, target) => {
    await using scene = await start();
    const { put, digestOf } = scene;
    expectError(await put(target, `if-none-match: *`), 412, 'PRECONDITION_FAILED');
    expectError(await put(target, `if-match: "${two}"`), 412, 'PRECONDITION_FAILED');
    expect([await digestOf('v1'), await digestOf('v2'), await digestOf('new')]).toEqual([one, one, 404]);
    expect((await put(target, `if-none-match: "${two}"`)).status).toBe(201);
    expect(await digestOf('v2')).toBe(two);
    expect((await scene.hosting.ask('GET', `${manifests}/v2`)).status).toBe(200);
  });

  it('hold for all tags at once, and for a manifest that is pushed without a tag', async () => {
    await using scene = await start();
    const { put, digestOf } = scene;
    expect((await put(`${two}?tag=v1&tag=v2`, `if-match: "${one}"`)).status).toBe(201);
    expect([await digestOf('v1'), await digestOf('v2')]).toEqual([two, two]);
    expectError(await put(two, 'if-none-match: *'), 412, 'PRECONDITION_FAILED');
    expect((await put(two, `if-match: "${two}"`)).status).toBe(201);
  });

  it('hold for deletions', async () => {
    await using scene = await start();
    const { hosting, digestOf } = scene;
    const remove = (reference: string, condition: string) =>
      hosting.ask('DELETE', `${manifests}/${reference}`, { headers: [condition] });
    expectError(await remove('v1', `if-match: "${two}"`), 412, 'PRECONDITION_FAILED');
    expectError(await remove('v1', `if-none-match: "${one}"`), 412, 'PRECONDITION_FAILED');
    expectError(await remove(one, `if-match: "${two}"`), 412, 'PRECONDITION_FAILED');
    expectError(await remove('new', `if-match: "${one}"`), 404, 'MANIFEST_UNKNOWN');
    expect([await digestOf('v1'), await digestOf(one)]).toEqual([one, one]);
    expect((await remove('v1', `if-match: "${one}"`)).status).toBe(202);
    expect([await digestOf('v1'), await digestOf(one)]).toEqual([404, one]);
    expect((await remove(one, `if-match: "${one}"`)).status).toBe(202);
    expect([await digestOf('v2'), await digestOf(one)]).toEqual([404, 404]);
  });
});

it.each([
  ['text/plain', 400],
  ['application/x-www-form-urlencoded', 400],
  ['application/vnd.oci.image.index.v1+json', 400],
  ['application/json', 201],
  ['application/octet-stream', 201],
  [`${second.manifest.mediaType}; charset=utf-8`, 201],
])('a manifest that states its type is pushed as %s: %i', async (type, status) => {
  await using scene = await start();
  const { put } = scene;
  const response = await put('v3', '', type);
  if (status === 201) expect(response.status).toBe(201);
  else expectError(response, status, 'MANIFEST_INVALID');
});
