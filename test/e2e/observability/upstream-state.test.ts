import { describe, expect, it } from 'vitest';
import { EndpointSettings } from '../../../src/config/upstream.settings.js';
import { FakeRegistry, type FakeRegistryOptions } from '../../fakes/fake-registry.js';
import { request } from '../../fakes/request.js';
import { makeCertificate } from '../../fixtures/certificate.js';
import { makeImage } from '../../fixtures/images.js';
import { Scrape } from '../support/metrics.js';
import type { Mirror, UpstreamOptions } from '../support/mirror.js';
import { MovingClock } from '../support/moving-clock.js';
import { Stage } from '../support/stage.js';

const image = makeImage({ layers: [10] });
const conditions = ['not-contacted', 'up', 'degraded', 'credentials-refused'];

/** The cell of the status page, as text. */
async function shown({ url }: Mirror): Promise<string> {
  const { body } = await request(`${url}/`, { headers: { accept: 'text/html' } });
  const row =
    />registry\.test<\/th>\s*<td [^>]*>(.*?)<\/td>/s.exec(body.toString().replaceAll('<wbr/>', ''))?.[1] ?? '';
  return row.replace(/<[^>]*>/g, '').trim();
}

/** The state of which the metric is 1. */
async function measured({ url }: Mirror): Promise<string[]> {
  const scrape = await Scrape.of(url);
  const series = (state: string) => `oci_registry_upstream_state{namespace="registry.test",state="${state}"}`;
  return conditions.filter((state) => scrape.get(series(state)) === 1);
}

const warnings = ({ mirror }: Stage) =>
  mirror.log
    .split('\n')
    .filter((line) => line.includes('configured credentials'))
    .map((line) => (JSON.parse(line) as { msg: string }).msg);

const wrong = { username: 'user', password: 'planted-and-wrong' };

describe("a registry's state is its last outcome", () => {
  it('is not green before the first request', async () => {
    await using stage = await Stage.start();
    expect([await shown(stage.mirror), await measured(stage.mirror)]).toEqual(['not contacted', ['not-contacted']]);
  });

  const broken: [string, FakeRegistryOptions, UpstreamOptions, RegExp][] = [
    ['an untrusted certificate', { tls: makeCertificate() }, { tls: true }, /SELF_SIGNED/],
    ['an expired certificate', { tls: makeCertificate(undefined, [-4, -2]) }, { tls: true }, /EXPIRED|SELF_SIGNED/],
    ['plain http where https is expected', {}, { tls: true }, /127\.0\.0\.1:\d+ \S/],
    ['https where plain http is expected', { tls: makeCertificate() }, {}, /127\.0\.0\.1:\d+ \S/],
    ['a name without an address', {}, { host: 'nowhere.invalid' }, /nowhere\.invalid cannot be/],
    ['a closed port', {}, { host: '127.0.0.1:1' }, /ECONNREFUSED/],
    ['500', { outage: { status: 500 } }, {}, /responded with 500/],
    ['503', { outage: { status: 503 } }, {}, /responded with 503/],
    ['429', { outage: { status: 429 } }, {}, /responded with 429/],
    ['403 to everything', { outage: { status: 403 } }, { ...wrong }, /responded with 403/],
    ['a token realm that fails', { auth: 'bearer', outage: { status: 500, kinds: ['token'] } }, {}, /with 500/],
    ['a token realm elsewhere', { auth: 'bearer', token: { redirectTo: '/x' } }, {}, /responded with 302/],
  ];
  it.each(broken)('degraded, with reason and time: %s', async (_, registry, upstream, reason) => {
    await using stage = await Stage.start({ registry, upstream });
    const { status } = await stage.get('team/app/manifests/1');
    expect(status).toBeGreaterThanOrEqual(400);
    expect(await shown(stage.mirror)).toMatch(/^degraded: .*\. Since [A-Z][a-z]{2} \d+, \d{4}, \d\d:\d\d UTC\.$/);
    expect(await shown(stage.mirror)).toMatch(reason);
    expect(await measured(stage.mirror)).toEqual(['degraded']);
  });

  it('is up again after a success, and remembers since when it was not', async () => {
    const clock = new MovingClock();
    await using stage = await Stage.start({ clock, registry: { outage: { status: 500 } } });
    stage.registry.addImage('team/app', image, ['1']);
    await stage.get('team/app/manifests/1');
    const before = await shown(stage.mirror);
    clock.pass(7200);
    stage.registry.behaviour.outage = { status: 502 };
    await stage.get('team/app/manifests/1');
    expect(await shown(stage.mirror)).toBe(before.replace('500', '502'));
    stage.registry.behaviour.outage = undefined;
    expect((await stage.get('team/app/manifests/1')).status).toBe(200);
    expect([await shown(stage.mirror), await measured(stage.mirror)]).toEqual(['up', ['up']]);
  });

  it.each(['missing', 'HEAD', 'lists'] as const)('stays up in spite of what registries may lack: %s', async (kind) => {
    await using stage = await Stage.start({
      registry: {
        head: kind === 'HEAD' ? { manifests: 405, blobs: 403 } : {},
        ...(kind === 'lists' && { outage: { status: 500, kinds: ['tags', 'referrers'] } }),
      },
    });
    stage.registry.addImage('team/app', image, ['1']);
    await stage.get('team/app/manifests/1');
    await stage.get('team/app/manifests/absent');
    await stage.get('team/app/tags/list');
    await stage.get(`team/app/referrers/${image.manifest.digest}`);
    await stage.head('team/app/manifests/1');
    expect(await shown(stage.mirror)).toBe('up');
  });

  it('shows its fallback too', async () => {
    await using fallback = await FakeRegistry.start({ auth: 'basic', anonymous: false });
    const host = Object.assign(new EndpointSettings(), { host: fallback.host, tls: false, ...wrong });
    await using stage = await Stage.start({
      registry: { outage: { status: 500 } },
      upstream: { fallbackHosts: [host] },
    });
    await stage.get('team/app/manifests/1');
    const text = await shown(stage.mirror);
    expect(text).toContain('responded with 500');
    expect(text).toContain(`Fallback ${fallback.host}: credentials refused: ${fallback.host} responded with 401.`);
    expect(warnings(stage)).toHaveLength(1);
  });
});

describe('configured credentials that are refused', () => {
  const refusing: [string, FakeRegistryOptions][] = [
    ['by the registry', { auth: 'basic', anonymous: false }],
    ['by its token realm', { auth: 'bearer', anonymous: false }],
    ['by the realm on another port', { auth: 'bearer', anonymous: false, token: { separatePort: true } }],
    ['with 403 for every repository', { outage: { status: 403 } }],
    ['with a challenge that cannot be answered', { outage: { status: 401 } }],
  ];
  it.each(refusing)('are one warning and the state: %s', async (_, registry) => {
    await using stage = await Stage.start({ registry, upstream: wrong });
    for (const name of ['one', 'two', 'three', 'one']) await stage.get(`team/${name}/manifests/1`);
    expect(await shown(stage.mirror)).toMatch(/^credentials refused: \S+ responded with 40[13]\. Since/);
    expect(await measured(stage.mirror)).toEqual(['credentials-refused']);
    expect(warnings(stage)).toEqual([
      expect.stringMatching(/^registry\.test: the configured credentials are refused: \S+ responded with 40[13]$/),
    ]);
    expect(stage.mirror.log).not.toContain('planted');
  });

  it.each(['basic', 'bearer'] as const)('are told once, and once more when they are accepted: %s', async (auth) => {
    const clock = new MovingClock();
    const right = { username: 'user', password: 'planted-password' };
    await using stage = await Stage.start({ clock, registry: { auth, anonymous: false }, upstream: right });
    stage.registry.addImage('team/app', image, ['1']);
    stage.registry.addImage('team/other', image, ['1']);
    const pull = async () => {
      for (const name of ['app', 'other']) await stage.get(`team/${name}/manifests/1`);
      clock.pass(700);
    };
    await pull();
    expect([await shown(stage.mirror), warnings(stage)]).toEqual(['up', []]);
    stage.registry.behaviour.password = 'changed';
    await pull();
    await pull();
    expect(await shown(stage.mirror)).toMatch(/^credentials refused/);
    expect(warnings(stage)).toHaveLength(1);
    stage.registry.behaviour.password = 'planted-password';
    await pull();
    expect(await shown(stage.mirror)).toBe('up');
    expect(warnings(stage)).toHaveLength(2);
  });

  it.each([401, 403] as const)('are not suspected for one private repository (%i)', async (deniedStatus) => {
    const registry = { auth: 'bearer', access: { 'team/secret': 'denied' }, deniedStatus } as const;
    await using stage = await Stage.start({ registry, upstream: { username: 'user', password: 'planted-password' } });
    stage.registry.addImage('team/app', image, ['1']);
    await stage.get('team/app/manifests/1');
    await stage.get('team/secret/manifests/1');
    await stage.get('team/secret/manifests/2');
    expect([await shown(stage.mirror), warnings(stage)]).toEqual([expect.stringMatching(/^degraded/), []]);
    await stage.get('team/app/manifests/absent');
    expect(await shown(stage.mirror)).toBe('up');
  });
});

describe('a registry without credentials', () => {
  it('works if it refuses one repository, and does not if it refuses them all', async () => {
    await using stage = await Stage.start({ registry: { auth: 'bearer', anonymous: false } });
    await stage.get('team/app/manifests/1');
    await stage.get('team/app/manifests/2');
    expect(await shown(stage.mirror)).toBe('up');
    await stage.get('team/other/manifests/1');
    expect(await shown(stage.mirror)).toMatch(/^degraded/);
    expect(warnings(stage)).toEqual([]);
  });
});
