import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Mirror } from '../e2e/support/mirror.js';
import { request } from '../fakes/request.js';
import { content, plain, raw, ScriptedUpstream, wait, type Step } from '../fakes/scripted-upstream.js';
import { makeCertificate } from '../fixtures/certificate.js';
import { fixtureMediaTypes, makeImage } from '../fixtures/images.js';

const first = makeImage({ seed: 'first' }).manifest;
const second = makeImage({ seed: 'second' }).manifest;
const other = makeImage({ seed: 'unasked' }).manifest;

const typed = { headers: { 'content-type': fixtureMediaTypes.ociManifest } };

/** A whole response as bytes. */
const responseOf = (body: Buffer) =>
  Buffer.concat([
    Buffer.from(
      `HTTP/1.1 200 OK\r\ncontent-type: ${fixtureMediaTypes.ociManifest}\r\ncontent-length: ${body.length}\r\n\r\n`,
    ),
    body,
  ]);

const unasked = responseOf(other.body);

/** When an upstream sends a response to nothing, after the right one to the first request. */
const times: Record<string, readonly Step[]> = {
  'with the first response': [raw(Buffer.concat([responseOf(first.body), unasked]))],
  'when the connection has become idle': [raw(responseOf(first.body)), wait(50), raw(unasked)],
  'its begin with the first response, its end later': [
    raw(Buffer.concat([responseOf(first.body), unasked.subarray(0, 30)])),
    wait(50),
    raw(unasked.subarray(30)),
  ],
  'only its begin': [raw(responseOf(first.body)), wait(50), raw(unasked.subarray(0, 30))],
};

const certificate = makeCertificate();

describe.each(['http', 'https'])('over %s, a response that an upstream sends unasked', (scheme) => {
  it.each(Object.entries(times))('%s is not taken for that to the next request', async (_, steps) => {
    await using upstream = await ScriptedUpstream.start(scheme === 'https' ? { tls: certificate } : {});
    upstream.on('GET', '/v2/', plain(200));
    upstream.on('GET', '/v2/app/manifests/first', steps);
    upstream.on('GET', '/v2/app/manifests/second', content(second.body, typed));
    await using mirror = await Mirror.start({
      upstreams: [
        { namespace: 'registry.test', host: upstream.host, tls: scheme === 'https', acceptInvalidCerts: true },
      ],
    });
    const pull = (tag: string) => request(`${mirror.url}/v2/registry.test/app/manifests/${tag}`);
    expect((await pull('first')).body.equals(first.body)).toBe(true);
    await sleep(100);
    const reply = await pull('second');
    expect([reply.status, reply.headers['docker-content-digest']]).toEqual([200, second.digest]);
    expect(upstream.connections).toBe(2);
  });
});
