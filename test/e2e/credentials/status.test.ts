import { afterEach, describe, expect, it, vi } from 'vitest';
import { readNamespaces } from '../../../src/config/upstream-file.js';
import { Formats } from '../../../src/web/format/formats.js';
import { GoogleCloud } from '../../fakes/clouds/google-cloud.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { request } from '../../fakes/request.js';
import { makeImage } from '../../fixtures/images.js';
import { AdminAddress } from '../admin/support.js';
import { Mirror } from '../support/mirror.js';
import { MovingClock } from '../support/moving-clock.js';
import { until } from '../support/until.js';

/** The reader of the page administers everything. */
const everything = JSON.stringify({ rules: [{ repositories: '**', who: ['anonymous'], may: ['pull', 'admin'] }] });
const image = makeImage({ layers: [100], seed: 'status of credentials' });
afterEach(() => vi.unstubAllEnvs());

interface Credentials {
  readonly namespace: string;
  readonly source: string;
  readonly repositories: string[];
  readonly identities: string[];
  readonly expiresAt?: string;
  readonly problem?: string;
}

/** A registry that takes tokens of Google for team/**, and a password for the rest. */
class Place implements AsyncDisposable {
  private constructor(
    readonly clock: MovingClock,
    readonly cloud: GoogleCloud,
    readonly registry: FakeRegistry,
    readonly mirror: Mirror,
  ) {}

  static async make(access?: string): Promise<Place> {
    const clock = new MovingClock();
    const cloud = await new GoogleCloud(clock).start();
    vi.stubEnv('GCE_METADATA_HOST', cloud.host);
    const token = 'ya29.planted-cloud-secret-1';
    const registry = await FakeRegistry.start({ auth: 'basic', username: 'oauth2accesstoken', password: token });
    registry.addImage('team/app', image, ['1']);
    const credentials = [
      { google: { registry_hosts: [registry.host] }, repositories: ['team/**'] },
      { static: { username: 'anna', password: 'planted-password' } },
    ];
    const entry = { namespace: 'registry.test', host: registry.host, tls: false };
    const [settings] = readNamespaces(JSON.stringify([{ ...entry, credentials }]), undefined).upstreams;
    const { credentialSources } = settings!;
    const mirror = await Mirror.start({
      upstreams: [{ ...entry, credentialSources }],
      clock,
      ...(access !== undefined && { access }),
    });
    return new Place(clock, cloud, registry, mirror);
  }

  async pull(): Promise<number> {
    return (await this.mirror.request.get('/v2/registry.test/team/app/manifests/1')).status;
  }

  /** The rows of the section, as text. */
  async page(): Promise<string[]> {
    const { body } = await request(`${this.mirror.url}/`, { headers: { accept: 'text/html' } });
    const text = body.toString().replaceAll('<wbr/>', '');
    expect(text).not.toContain('planted');
    const [section = ''] = /<section id="credentials".*?<\/section>/s.exec(text) ?? [];
    const rows = section.split('<tr role="row">').slice(2);
    return rows.map((row) =>
      row
        .replace(/<[^>]*>/g, ' ')
        .replace(/\s+/g, ' ')
        .trim(),
    );
  }

  async admin(): Promise<Credentials[]> {
    await using admin = await AdminAddress.open(this);
    const { text } = await admin.request.get('/_admin/status').expect(200);
    expect(text).not.toContain('planted');
    return (JSON.parse(text) as { credentials: Credentials[] }).credentials;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mirror[Symbol.asyncDispose]();
    await this.registry[Symbol.asyncDispose]();
    await this.cloud[Symbol.asyncDispose]();
  }
}

describe('the status page and /_admin/status have credentials', () => {
  it('whose they are and until when, once they were needed', async () => {
    await using place = await Place.make(everything);
    expect(await place.page()).toEqual(['registry.test google for team/** not needed yet –']);
    expect(await place.pull()).toBe(200);
    const end = new Date(place.clock.now() + 3_599_000).toISOString();
    expect(await place.page()).toEqual([
      `registry.test google for team/** service account ${place.cloud.email} ${Formats.for('en').time(Date.parse(end))}`,
    ]);
    const [google, ...others] = await place.admin();
    expect(google).toMatchObject({ namespace: 'registry.test', source: 'google', repositories: ['team/**'] });
    expect([google?.identities, google?.problem]).toEqual([[`service account ${place.cloud.email}`], undefined]);
    expect(Math.abs(Date.parse(google?.expiresAt ?? '') - Date.parse(end))).toBeLessThan(60_000);
    // A password of the upstream file never changes by itself.
    expect(others).toEqual([]);
  });

  it('why they cannot be renewed', async () => {
    await using place = await Place.make(everything);
    await place.pull();
    place.cloud.lie = { at: '/token', send: (_, response) => response.writeHead(500).end('planted') };
    place.clock.pass(2700);
    await place.pull();
    await until('the attempt has failed', async () => (await place.admin())[0]?.problem !== undefined);
    const [row] = await place.page();
    expect(row).toMatch(
      /service account \S+ cannot be renewed : the token request to the metadata server failed.* \d\d:\d\d UTC$/,
    );
  });

  it('without an access file, at /_admin/status only', async () => {
    await using place = await Place.make();
    expect(await place.pull()).toBe(200);
    expect(await place.page()).toEqual([]);
    expect((await place.admin()).map(({ source }) => source)).toEqual(['google']);
  });

  it('for those only who administer everything', async () => {
    const rules = [{ repositories: ['registry.test/**'], who: ['anonymous'], may: ['pull'] }];
    await using place = await Place.make(JSON.stringify({ rules }));
    expect(await place.pull()).toBe(200);
    expect(await place.page()).toEqual([]);
    const { status } = await place.mirror.request.get('/_admin/status');
    expect([401, 403, 404]).toContain(status);
  });
});
