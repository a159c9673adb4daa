import http from 'node:http';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ServerSettings } from '../../src/config/server.settings.js';
import { ClusterKey } from '../../src/config/values/cluster-key.js';
import { Secret } from '../../src/config/values/secret.js';
import { Gate } from '../e2e/support/gate.js';
import { heldBlob } from '../e2e/support/held-blob.js';
import { Listener } from '../fakes/listener.js';
import { makeBlob, type FixtureBlob } from '../fixtures/images.js';
import { Watcher } from './support/client.js';
import { Fleet } from './support/fleet.js';
import { until } from './support/gate.js';

const clusterKey = 'a key that all replicas have';
const blob: FixtureBlob = makeBlob(1_000_000, 'forged');

/** A server that is no replica, and what it was sent. */
let trap: Listener;
let trapped: string[];

beforeEach(async () => {
  trapped = [];
  trap = new Listener(() =>
    http.createServer((request, response) => {
      trapped.push(`${request.method} ${request.url}`);
      response.writeHead(404).end();
    }),
  );
  await trap.start();
});
afterEach(() => trap.stop());

interface StoredLease {
  readonly path: string;
  readonly content: Record<string, unknown>;
}

/** The lease of a running download, as somebody sees it who can read the storage. */
async function leaseIn(fleet: Fleet): Promise<StoredLease> {
  let found: StoredLease | undefined;
  await until(async () => {
    const names = await readdir(join(fleet.folder.path, 'leases'), { recursive: true }).catch(() => []);
    const name = names.find((each) => /^sha256\/.*-\d{8}$/.test(each));
    if (name === undefined) return false;
    const path = join(fleet.folder.path, 'leases', name);
    found = { path, content: JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown> };
    return true;
  }, 'there is a lease');
  return found!;
}

/** A cold blob is downloaded at the first replica, its lease is changed, and the second one is asked for the blob. */
async function pullWithForged(server: Partial<ServerSettings>, change: (lease: StoredLease['content']) => object) {
  await using fleet = await Fleet.start({ replicas: 2, server });
  fleet.registry.addBlob('app', blob);
  using gate = new Gate();
  fleet.registry.behaviour.before = heldBlob(blob, 500_000, gate);
  const [one = '', two = ''] = fleet.urls(`app/blobs/${blob.digest}`);
  const first = await Watcher.open(one, blob.body);
  const { path, content } = await leaseIn(fleet);
  await writeFile(path, JSON.stringify({ ...content, ...change(content) }));
  const second = await Watcher.open(two, blob.body);
  await second.has(400_000);
  gate.open();
  expect(await Promise.all([first.isWhole(), second.isWhole()])).toEqual([true, true]);
  return { asked: fleet.asked(), log: fleet.mirrors.map(({ log }) => log).join('') };
}

const urls = (host: string) => ({
  'a fragment that hides the path': `http://${host}/private/delete#`,
  'an empty fragment': `http://${host}#`,
  'a path': `http://${host}/private`,
  'a path written with a backslash': `http://${host}\\private`,
  'a query': `http://${host}/?delete=all`,
  'an empty query': `http://${host}?`,
  'a password': `http://user:password@${host}`,
  'another host before its own': `http://127.0.0.1@${host}`,
});

describe('a lease that somebody else has written', () => {
  it.each(Object.keys(urls('')))('is not followed to a URL with %s', async (name) => {
    const url = Reflect.get(urls(trap.host), name) as string;
    const { asked } = await pullWithForged({}, () => ({ url }));
    expect(trapped).toEqual([]);
    expect(asked).toEqual(['GET blob', 'GET blob']);
  });

  it.each(['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]'])(
    'is not followed out of the networks of the cluster, to %s',
    async (host) => {
      const server = { advertiseUrl: 'http://10.254.0.7:8080' };
      const { log } = await pullWithForged(server, () => ({ url: `http://${host}:${trap.port}` }));
      expect(trapped).toEqual([]);
      expect(log).toMatch(/is not in --peer-networks/);
    },
  );

  it('is not followed out of networks that are given', async () => {
    await pullWithForged({ peerNetworks: ['10.254.0.0/16'] }, () => ({ url: `http://${trap.host}` }));
    expect(trapped).toEqual([]);
  });
});

describe('a lease of a cluster with a key', () => {
  const server = { clusterKey: new Secret(clusterKey) };

  it.each([
    ['with another URL', () => ({ url: `http://${trap.host}` })],
    ['with a longer life', ({ expiresAt }: StoredLease['content']) => ({ expiresAt: Number(expiresAt) + 1 })],
    ['with another holder', () => ({ holder: 'somebody' })],
    ['without a signature', () => ({ signature: undefined })],
    ['with an empty signature', () => ({ signature: '' })],
    ['with a signature of another kind', () => ({ signature: { length: 43 } })],
  ])('is none %s', async (_, change) => {
    const { asked } = await pullWithForged(server, change);
    expect(trapped).toEqual([]);
    expect(asked).toEqual(['GET blob', 'GET blob']);
  });

  it('is followed as it was written, wherever it leads', async () => {
    const { asked } = await pullWithForged({ ...server, peerNetworks: [] }, () => ({}));
    expect(asked).toEqual(['GET blob']);
  });

  it('lets replicas prove who they are: whoever only says so is a client', async () => {
    await using fleet = await Fleet.start({ replicas: 2, server });
    fleet.registry.addBlob('app', blob);
    using gate = new Gate();
    fleet.registry.behaviour.before = heldBlob(blob, 500_000, gate);
    const [one = '', two = ''] = fleet.urls(`app/blobs/${blob.digest}`);
    const first = await Watcher.open(one, blob.body);
    const second = await Watcher.open(two, blob.body);
    await Promise.all([first.has(400_000), second.has(400_000)]);
    // The second follows the first, so that it refuses another replica and serves a client.
    const statusOf = async (proof: string) => {
      const headers = { 'oci-registry-follower': 'somebody', 'oci-registry-proof': proof };
      const client = await Watcher.open(two, blob.body, headers);
      client.response.destroy();
      return client.response.statusCode;
    };
    const { origin: audience, pathname: target } = new URL(two);
    const pullOf = (changed: object) => ({ follower: 'somebody', audience, target, ...changed });
    const proofOf = (changed: object, by = clusterKey, at = fleet.clock.now()) =>
      new ClusterKey(new Secret(by)).signPull(pullOf(changed), at);
    expect(await statusOf(proofOf({}))).toBe(503);
    const refused = {
      none: '',
      'of another key': proofOf({}, 'another key of a cluster'),
      'of another replica': proofOf({ follower: 'another' }),
      'for another replica': proofOf({ audience: new URL(one).origin }),
      'for another blob': proofOf({ target: target.replace('/app/', '/other/') }),
      old: proofOf({}, clusterKey, fleet.clock.now() - 60_000),
    };
    for (const [name, proof] of Object.entries(refused)) expect([name, await statusOf(proof)]).toEqual([name, 200]);
    gate.open();
    expect(await Promise.all([first.isWhole(), second.isWhole()])).toEqual([true, true]);
    expect(fleet.asked()).toEqual(['GET blob']);
  });
});
