import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { makeImage } from '../../fixtures/images.js';
import { Mirror } from '../support/mirror.js';

const mediaType = 'application/vnd.oci.image.index.v1+json';
const body = JSON.stringify({ schemaVersion: 2, mediaType, manifests: [] });

/** Whoever owns the same name at the default registry must not be able to supply the image. */
it('what was pushed is not looked for upstream when its namespace is no longer configured, in any URL shape', async () => {
  const root = await mkdtemp(join(tmpdir(), 'oci-registry-e2e-'));
  try {
    {
      const hosted = [{ namespace: 'local' }, { namespace: 'reg.local' }];
      await using mirror = await Mirror.start({ root, hosted, server: { allowAnonymousPush: true } });
      for (const namespace of ['local', 'reg.local']) {
        const put = mirror.request.put(`/v2/${namespace}/team/app/manifests/1`).type(mediaType).send(body);
        expect((await put).status).toBe(201);
      }
    }
    await using upstream = await FakeRegistry.start();
    for (const name of ['local/team/app', 'team/app', 'reg.local/team/app'])
      upstream.addImage(name, makeImage(), ['1', '2']);
    await using mirror = await Mirror.start({ root, upstreams: [{ namespace: 'docker.io', host: upstream.host }] });
    const shapes: [path: string, host?: string][] = [
      ['/v2/local/team/app/manifests/'],
      ['/local/v2/team/app/manifests/'],
      ['/v2/team/app/manifests/', 'local'],
      ['/v2/reg.local/team/app/manifests/'],
      ['/v2/team/app/manifests/', 'reg.local'],
    ];
    for (const [path, host] of shapes) {
      expect(await statusOf(`${mirror.url}${path}1`, host), `${path} at ${host}`).toBe(200);
      expect(await statusOf(`${mirror.url}${path}2`, host), `${path} at ${host}`).toBe(404);
    }
    expect(upstream.requests).toEqual([]);
  } finally {
    await rm(root, { recursive: true });
  }
});

function statusOf(url: string, host: string | undefined): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    http
      .get(url, { headers: host === undefined ? {} : { host } }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode));
      })
      .on('error', reject);
  });
}
