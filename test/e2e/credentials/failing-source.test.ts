import { rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { SystemClock } from '../../../src/config/clock/clock.js';
import { GoogleCloud } from '../../fakes/clouds/google-cloud.js';
import { makeImage } from '../../fixtures/images.js';
import { sizes } from '../../sizes.js';
import { Folder } from '../support/folder.js';
import { Scrape } from '../support/metrics.js';
import { CredentialStage } from './stage.js';

const image = makeImage({ layers: [1_000] });

describe('a source of credentials that fails', () => {
  it('is as an upstream that is unavailable: cached content is served, and other repositories work', async () => {
    await using folder = await Folder.make();
    const file = folder.file('config.json');
    const auth = Buffer.from('robot:planted').toString('base64');
    const entry = { credentials: [{ docker_config: { file }, repositories: 'team/**' }] };
    await using stage = await CredentialStage.start(
      {
        auth: 'bearer',
        anonymous: true,
        access: { 'team/app': 'private', 'team/other': 'private' },
        accepts: (user, password) => user === 'robot' && password === 'planted',
      },
      async (host) => {
        await writeFile(file, JSON.stringify({ auths: { [host]: { auth } } }));
        return entry;
      },
    );
    for (const name of ['team/app', 'team/other', 'open/app']) stage.registry.addImage(name, image, ['1']);
    // Nothing is in hand yet, and the file is gone.
    await rm(file);
    const failed = await stage.pull('team/other/manifests/1');
    expect(failed.status).toBe(503);
    expect(failed.headers['retry-after']).toBeDefined();
    expect(failed.text).toContain('docker_config');
    expect(failed.text).not.toContain(file);
    for (let count = 0; count < 10; count += 1) await stage.pull('team/other/manifests/1');
    expect((await stage.pull('open/app/manifests/1')).status).toBe(200);
    expect(stage.mirror.log).toContain('docker_config');
    const host = stage.registry.host;
    await writeFile(file, JSON.stringify({ auths: { [host]: { auth } } }));
    await sleep(1_050);
    expect((await stage.pull('team/app/manifests/1')).status).toBe(200);
    const scrape = await Scrape.of(stage.mirror.url);
    const labels = 'namespace="registry.test",source="docker_config"';
    expect(scrape.series).toContain(`oci_registry_upstream_credential_fetches_total{${labels},result="ok"}`);
  });

  it('leaves what is cached available', async () => {
    await using cloud = await new GoogleCloud(new SystemClock()).start();
    vi.stubEnv('GCE_METADATA_HOST', cloud.host);
    try {
      cloud.lifetime = 1;
      await using stage = await CredentialStage.start(
        {
          auth: 'basic',
          accepts: (user, password) => user === 'oauth2accesstoken' && password === cloud.lastToken,
        },
        (host) => Promise.resolve({ credentials: { google: { registry_hosts: [host] } } }),
      );
      stage.registry.addImage('team/app', image, ['1']);
      expect((await stage.pull('team/app/manifests/1')).status).toBe(200);
      cloud.lie = { at: '/', send: (_, response) => response.writeHead(503).end() };
      await sleep(1_100);
      const stale = await stage.pull('team/app/manifests/1');
      expect([stale.status, stale.headers['x-cache']]).toEqual([200, 'STALE']);
      expect((await stage.pull('team/none/manifests/1')).status).toBe(503);
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe('requests at the moment of expiry', () => {
  it('are one request to the cloud', async () => {
    await using cloud = await new GoogleCloud(new SystemClock()).start();
    vi.stubEnv('GCE_METADATA_HOST', cloud.host);
    try {
      cloud.lifetime = 2;
      await using stage = await CredentialStage.start(
        { auth: 'basic', accepts: (user) => user === 'oauth2accesstoken' },
        (host) => Promise.resolve({ credentials: { google: { registry_hosts: [host] } }, max_connections: 1_000 }),
      );
      stage.registry.addImage('team/app', image, ['1']);
      for (let number = 0; number < sizes.requestsAtExpiry; number += 1)
        stage.registry.setTag('team/app', `t${number}`, image.manifest.digest);
      expect((await stage.pull('team/app/manifests/1')).status).toBe(200);
      await sleep(2_000);
      cloud.lifetime = 3_600;
      const count = () => cloud.requests.filter(({ url }) => url.pathname.endsWith('/token')).length;
      const before = count();
      const pulls = Array.from({ length: sizes.requestsAtExpiry }, (_, number) =>
        stage.pull(`team/app/manifests/t${number}`),
      );
      const statuses = new Set((await Promise.all(pulls)).map(({ status }) => status));
      expect(count() - before).toBe(1);
      expect(statuses).toEqual(new Set([200]));
    } finally {
      vi.unstubAllEnvs();
    }
  });
});
