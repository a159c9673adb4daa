import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { FakeRegistryOptions } from '../fakes/fake-registry.js';
import { request } from '../fakes/request.js';
import { type FixtureCertificate, makeCertificate } from '../fixtures/certificate.js';
import { Folder } from './support/folder.js';
import type { UpstreamOptions } from './support/mirror.js';
import { Stage } from './support/stage.js';

const authority = makeCertificate();
const expired = makeCertificate(undefined, [-4, -2]);
const future = makeCertificate(undefined, [2, 4]);
const other = makeCertificate(['other.test']);

/** How the connection fails, the registry, whose certificate the mirror trusts, and what is said about it. */
const cases: [string, FakeRegistryOptions, FixtureCertificate | undefined, UpstreamOptions, RegExp][] = [
  [
    'an untrusted CA',
    { tls: makeCertificate(undefined, undefined, authority) },
    undefined,
    { tls: true },
    /signed by a CA that is not trusted here \(\w+\): for a private CA, set ca_file/,
  ],
  ['a self-signed certificate', { tls: makeCertificate() }, undefined, { tls: true }, /is self-signed .* set ca_file/],
  ['an expired certificate', { tls: expired }, expired, { tls: true }, /has expired \(CERT_HAS_EXPIRED\): renew it/],
  ['a certificate of the future', { tls: future }, future, { tls: true }, /is not valid yet .* correct the clock/],
  ['a certificate of another host', { tls: other }, other, { tls: true }, /another host name .* set host of the/],
  ['plain http on an https port', {}, undefined, { tls: true }, /does not speak TLS .* set tls: false/],
  ['TLS on a plain http port', { tls: makeCertificate() }, undefined, {}, /if it expects TLS, remove tls: false/],
];

describe('TLS before a registry', () => {
  it.each(cases)('%s: client, log and status page name what mends it', async (_, registry, ca, upstream, reason) => {
    await using folder = await Folder.make();
    if (ca) await writeFile(folder.file('ca.pem'), ca.cert);
    await using stage = await Stage.start({
      registry,
      upstream: { ...upstream, ...(ca && { caFile: folder.file('ca.pem') }) },
    });
    // The reason stays when the circuit is open and the registry is asked no more.
    for (let count = 0; count < 5; count += 1) {
      const { status, body } = await stage.get(`team/app/manifests/${count}`);
      expect(status).toBe(503);
      const { errors } = JSON.parse(body.toString()) as { errors: { code: string; message: string }[] };
      if (upstream.tls === true || count === 0) expect(errors[0]!.message).toMatch(reason);
    }
    expect(stage.mirror.log).toMatch(reason);
    const page = await request(`${stage.mirror.url}/`, { headers: { accept: 'text/html' } });
    expect(page.body.toString().replace(/<[^>]*>/g, '')).toMatch(reason);
  });
});
