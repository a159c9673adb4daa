import { describe, expect, it, vi } from 'vitest';
import { planted } from '../../../../test/fakes/clouds/clocked-cloud.js';
import { GoogleMachine, signal } from '../../../../test/fakes/clouds/google-machine.js';
import { expectFailures, failureOf } from '../../../../test/fakes/clouds/lies.js';

// The pauses between attempts take no time.
vi.mock('node:timers/promises', async (load) => ({ ...(await load<object>()), setTimeout: () => Promise.resolve() }));

const machine = new GoogleMachine();

describe('credentials from the metadata server of Google', () => {
  it('are the access token of the default service account, with its email and end', async () => {
    const credentials = await machine.sourceOf().fetch(signal());
    expect(credentials.password.reveal()).toBe(machine.cloud.lastToken);
    expect(credentials).toMatchObject({
      username: 'oauth2accesstoken',
      kind: 'password',
      expiresAt: machine.clock.now() + 3_599_000,
      identity: `service account ${machine.cloud.email}`,
    });
    expect(machine.cloud.requests[0]?.url.search).toBe('');
  });

  it('are those of a named account and scopes', async () => {
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', '/of/another/program');
    const source = machine.sourceOf({ serviceAccount: machine.cloud.email, scopes: ['a', 'b'] });
    expect((await source.fetch(signal())).identity).toBe(`service account ${machine.cloud.email}`);
    expect(machine.cloud.requests.map(({ url }) => url.searchParams.get('scopes'))).toEqual(['a,b']);
    const { message } = await failureOf(machine.sourceOf({ serviceAccount: 'other@project.iam.gserviceaccount.com' }));
    expect(message).toContain('attach a service account to the machine, or correct service_account');
  });

  it('do not depend on the email', async () => {
    machine.cloud.lie = { at: '/email', send: (_, response) => response.writeHead(500).end(planted) };
    expect((await machine.sourceOf().fetch(signal())).identity).toBe('service account of the metadata server');
  });

  it('come from no server without its header', async () => {
    const body = JSON.stringify({ access_token: planted, expires_in: 3599 });
    machine.cloud.lie = { at: '/token', send: (_, response) => response.end(body) };
    expect((await failureOf(machine.sourceOf())).message).toContain(
      `${machine.cloud.host} is not the metadata server of Google`,
    );
  });

  it('need a server, or the message says what to set', async () => {
    const { host } = machine.cloud;
    await machine.cloud[Symbol.asyncDispose]();
    const { message } = await failureOf(machine.sourceOf());
    expect(message).toBe(
      `the token request to the metadata server failed: ${host} cannot be reached (ECONNREFUSED); outside Google Cloud, set file or GOOGLE_APPLICATION_CREDENTIALS`,
    );
    vi.stubEnv('GCE_METADATA_HOST', 'http://169.254.169.254/');
    expect((await failureOf(machine.sourceOf())).message).toContain('GCE_METADATA_HOST must be');
  });

  it.each([429, 500, 503])('come after a moment of status %d', async (status) => {
    let failures = 2;
    machine.cloud.lie = {
      at: '/token',
      send: (_, response) => {
        failures -= 1;
        if (failures === 0) machine.cloud.lie = undefined;
        response.writeHead(status).end();
      },
    };
    expect((await machine.sourceOf().fetch(signal())).password.reveal()).toBe(machine.cloud.lastToken);
    expect(machine.paths.filter((path) => path.endsWith('/token'))).toHaveLength(3);
  });

  it('survive no lie', () => expectFailures(machine.sourceOf(), machine.cloud, '/token'));

  it.each([0, -5, 'soon', {}])('have no end after %j seconds', async (lifetime) => {
    machine.cloud.lifetime = lifetime;
    expect((await failureOf(machine.sourceOf())).message).toMatch(/already expired|no usable expires_in/);
  });

  it.each([
    ['3600', 3_600],
    [1e9, 86_400],
    [undefined, 600],
  ])('end after %j seconds in %d', async (lifetime, seconds) => {
    machine.cloud.lifetime = lifetime;
    expect((await machine.sourceOf().fetch(signal())).expiresAt).toBe(machine.clock.now() + seconds * 1000);
  });
});

describe('an access token of Google', () => {
  it.each(['ghcr.io', 'pkg.dev.evil.example', 'evilgcr.io', 'eu.gcr.io.evil.example', 'pkg.dev', 'gcr.io:8443'])(
    'is not requested for %s',
    async (host) => {
      expect((await failureOf(machine.sourceOf({}, host))).message).toContain(`add ${host} to registry_hosts`);
      expect(machine.cloud.requests).toEqual([]);
    },
  );

  it('is not sent over plain http', async () => {
    const source = machine.sourceOf({}, 'gcr.io', { base: new URL('http://gcr.io') });
    expect((await failureOf(source)).message).toContain('over https');
    expect(machine.cloud.requests).toEqual([]);
  });

  it.each(['gcr.io', 'EU.gcr.io:443', 'mirror.gcr.io', 'us-central1-docker.pkg.dev', 'registry.example:5000'])(
    'is requested for %s',
    async (host) => {
      await machine.sourceOf({ registryHosts: ['registry.example:5000'] }, host).fetch(signal());
      expect(machine.cloud.given).toBe(1);
    },
  );
});
