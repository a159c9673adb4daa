import { once } from 'node:events';
import http from 'node:http';
import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { request } from '../../fakes/request.js';
import { makeBlob } from '../../fixtures/blobs.js';
import { AdminAddress } from '../admin/support.js';
import { Gate } from '../support/gate.js';
import { heldBlob } from '../support/held-blob.js';
import { Mirror } from '../support/mirror.js';
import { getPage, soundPage } from '../support/pages.js';
import { Stage } from '../support/stage.js';

const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
const pageOf = async (mirror: Mirror, headers: Record<string, string> = {}, path = '/') =>
  soundPage(await getPage(mirror, path, { headers }));

describe('the overview', () => {
  it('is for browsers; everybody else gets the plain answer', async () => {
    await using mirror = await Mirror.start();
    for (const headers of [{}, { accept: '*/*' }, { accept: 'application/json' }] as Record<string, string>[]) {
      const reply = await request(`${mirror.url}/`, { headers });
      expect(reply.body.toString()).toBe('ok\n');
      expect(reply.headers).toMatchObject({ 'content-type': 'text/plain', 'content-length': '3' });
    }
    const probe = await request(`${mirror.url}/`, { method: 'HEAD', headers: { accept: '*/*' } });
    expect(probe.headers).toMatchObject({ 'content-type': 'text/plain', 'content-length': '3' });
    expect((await request(`${mirror.url}/`, { method: 'HEAD', headers: { accept: browser } })).headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
    });
    const page = await request(`${mirror.url}/`, { headers: { accept: browser } });
    expect(page.status).toBe(200);
    expect(page.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      vary: 'accept, accept-language',
    });
    expect(page.headers['x-request-id']).toBeDefined();
    expect(soundPage(page)).toContain('<h1>Overview</h1>');
  });

  it('leaves every other path and method to the routes', async () => {
    await using mirror = await Mirror.start();
    for (const path of ['/v2/', '/?x', '/?sign-inx', '//', '/%2f', '/index.html', '/status']) {
      const { headers } = await request(`${mirror.url}${path}`, { headers: { accept: browser } });
      expect(headers['content-type'], path).not.toContain('text/html');
    }
    const { status } = await request(`${mirror.url}/`, { method: 'POST', headers: { accept: browser } });
    expect(status).toBeGreaterThanOrEqual(400);
  });

  it('is not there when it is turned off', async () => {
    await using mirror = await Mirror.start({ server: { statusPage: false } });
    expect((await getPage(mirror, '/')).body.toString()).toBe('ok\n');
  });

  it('goes by the language of the browser for numbers and dates', async () => {
    await using mirror = await Mirror.start();
    expect(await pageOf(mirror, { 'accept-language': 'de-DE,de;q=0.9' })).toMatch(/<time [^>]*lang="de">\d+\. /);
    expect(await pageOf(mirror, { 'accept-language': 'zh-CN' })).toMatch(/<time [^>]*lang="zh">\d{4}年/);
  });

  it('tells what all processes did, over restarts, to whom everything is shown', async () => {
    await using stage = await Stage.start();
    const blob = makeBlob(100_000, 'past');
    stage.registry.addBlob('team/app', blob);
    await stage.get(`team/app/blobs/${blob.digest}`);
    await stage.get(`team/app/blobs/${blob.digest}`);
    const page = await pageOf(stage.mirror);
    expect(page).toMatch(/Last 30 days<\/th>.*?195 KiB.*?97\.7 KiB/s);
    expect(page).toContain('Process 1 (this one)');
    expect(page).not.toContain(`${hostname()} (this one)`);
    await using admin = await AdminAddress.open(stage);
    const reply = await request(`${admin.url}/`, { headers: { accept: browser } });
    expect(soundPage(reply)).toContain(`${hostname()} (this one)`);
    expect(page).toContain('Traffic by the day');
  });

  it('names the worker that it is about', async () => {
    await using mirror = await Mirror.start({ server: { worker: 2, workers: 3 } });
    expect(await pageOf(mirror)).toContain('those of worker 2 of 3');
  });

  it('tells what has been pulled, and runs, without the names of private repositories', async () => {
    await using stage = await Stage.start({ upstream: { username: 'user', password: 'planted-password' } });
    using gate = new Gate();
    const blob = makeBlob(1_000_000, 'running');
    stage.registry.behaviour.before = heldBlob(blob, 500_000, gate);
    expect(await pageOf(stage.mirror)).toContain('not contacted');
    const sent = http.get(stage.urlOf(`team/secret/blobs/${blob.digest}`), { agent: false });
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
    await once(response, 'readable');
    const page = await pageOf(stage.mirror);
    expect(page).toContain(blob.digest.slice(0, 19));
    expect(page).toContain('private repository');
    expect(page).toContain('of 977 KiB');
    expect(page).not.toContain('team/secret');
    expect(page).not.toContain('planted-');
    gate.open();
    response.resume();
    await once(response, 'end');
    await stage.mirror.settled();
    const after = await pageOf(stage.mirror);
    expect(after).toContain('No downloads in progress.');
    expect(after).toContain('>up<');
  });

  it('names the repository of a public download', async () => {
    await using stage = await Stage.start();
    using gate = new Gate();
    const blob = makeBlob(1_000_000, 'public');
    stage.registry.behaviour.before = heldBlob(blob, 500_000, gate);
    const sent = http.get(stage.urlOf(`team/open/blobs/${blob.digest}`), { agent: false });
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
    expect(await pageOf(stage.mirror)).toContain('registry.test/team/open');
    gate.open();
    response.resume();
    await once(response, 'end');
    await stage.mirror.settled();
  });
});
