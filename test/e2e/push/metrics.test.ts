import { expect, it } from 'vitest';
import { request } from '../../fakes/request.js';
import { makeBlob, makeImage } from '../../fixtures/images.js';
import { Scrape } from '../support/metrics.js';
import { Conversation } from './support/conversation.js';
import { Hosting, withQuery } from './support/hosting.js';

const blob = makeBlob(3_000, 'metrics');
const unknown = `sha256:${'0'.repeat(64)}`;

it('pushes are counted: bytes, uploads in progress and results', async () => {
  await using hosting = await Hosting.start({ hosted: [{ namespace: 'local', maxSize: 1_000_000 }] });
  const metric = async (name: string, labels = '') =>
    (await Scrape.of(hosting.url)).get(`oci_registry_${name}{namespace="local"${labels}}`);
  const pushes = (kind: string, result: string) => metric('pushes_total', `,kind="${kind}",result="${result}"`);
  expect(await pushes('blob', 'accepted')).toBe(0);

  const location = await hosting.begin();
  await using client = await Conversation.open(hosting.url);
  client.say(`PATCH ${location} HTTP/1.1\r\nhost: m\r\ncontent-length: 1000\r\n\r\n`);
  client.say(blob.body.subarray(0, 500));
  await expect.poll(() => metric('uploads_running'), { timeout: 10_000 }).toBe(1);
  await expect.poll(() => metric('push_received_bytes_total'), { timeout: 10_000 }).toBe(500);
  client.say(blob.body.subarray(500, 1_000));
  expect((await client.hear()).status).toBe(202);
  expect(await metric('uploads_running')).toBe(0);
  const end = withQuery(location, `digest=${blob.digest}`);
  expect((await hosting.ask('PUT', end, { body: blob.body.subarray(1_000) })).status).toBe(201);
  expect([await pushes('blob', 'accepted'), await metric('push_received_bytes_total')]).toEqual([1, 3_000]);

  const wrong = await hosting.ask('POST', `/v2/local/app/blobs/uploads/?digest=${unknown}`, { body: blob.body });
  expect([wrong.status, await pushes('blob', 'refused')]).toEqual([400, 1]);
  const mount = await hosting.ask('POST', `/v2/local/b/blobs/uploads/?mount=${blob.digest}`, { body: '' });
  expect([mount.status, await pushes('blob', 'mounted')]).toEqual([201, 1]);
  expect((await hosting.pushImage(makeImage(), 'v1')).status).toBe(201);
  expect([await pushes('manifest', 'accepted'), await pushes('manifest', 'refused')]).toEqual([1, 0]);
  expect((await hosting.ask('PUT', '/v2/local/app/manifests/v1', { body: '{' })).status).toBe(400);
  expect(await pushes('manifest', 'refused')).toBe(1);

  const page = await request(`${hosting.url}/`, { headers: { accept: 'text/html' } });
  expect(page.body.toString()).toContain('Pushed');
  expect(page.body.toString()).toContain('Quota of local/**');
});
