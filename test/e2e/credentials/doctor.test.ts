import { chmod, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../../src/config/clock/clock.js';
import { GoogleCloud } from '../../fakes/clouds/google-cloud.js';
import { FakeRegistry } from '../../fakes/fake-registry.js';
import { Folder } from '../support/folder.js';
import { build, Program } from '../support/program.js';

beforeAll(build, 180_000);

interface Result {
  readonly name: string;
  readonly status: string;
  readonly detail: string;
}

const password = 'planted-password';
const auth = (user: string, secret = password) => Buffer.from(`${user}:${secret}`).toString('base64');

/** The check, and the host if that is a fallback. */
function labelOf(name: string): string {
  const [, at = '', what = ''] = /^registry[.]test( at \S+)?: (.*)$/.exec(name) ?? [];
  return `${what}${at}`;
}

/** Runs it for registry.test with these credentials. @returns status and detail by the name of a check */
async function examine(
  folder: Folder,
  host: string,
  credentials: unknown,
  env: Record<string, string> = {},
  fallbacks: readonly unknown[] = [],
) {
  const upstreams = [{ namespace: 'registry.test', host, tls: false, credentials, fallback_hosts: fallbacks }];
  await writeFile(folder.file('upstreams.yaml'), JSON.stringify(upstreams));
  const program = await Program.run(
    ['--upstream-config-file', 'upstreams.yaml', '--default-namespace', 'registry.test', 'doctor', '--json'].concat([
      'filesystem',
      '--root',
      'store',
    ]),
    { cwd: folder.path, env },
  );
  expect(program.stderr).toBe('');
  expect(program.stdout).not.toContain('planted');
  const results = program.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Result)
    .filter(({ name }) => name.startsWith('registry.test'));
  return {
    code: program.code,
    checks: Object.fromEntries(results.map(({ name, status, detail }) => [labelOf(name), `${status}: ${detail}`])),
  };
}

describe('doctor tries each source of credentials', { concurrent: true, timeout: 120_000 }, () => {
  it('and says whose they are, for which repositories, and that the registry takes them', async () => {
    await using folder = await Folder.make();
    await using registry = await FakeRegistry.start({ auth: 'bearer', anonymous: false, username: 'anna', password });
    const { host } = registry;
    const auths = { [host]: { auth: auth('anna') }, [`${host}/tools`]: { auth: auth('anna') } };
    await writeFile(folder.file('config.json'), JSON.stringify({ auths }));
    const { code, checks } = await examine(folder, host, [
      { static: { username: 'anna', password }, repositories: ['team/**', 'other/*'] },
      { docker_config: { file: folder.file('config.json') }, repositories: 'tools/**' },
      { docker_config: { file: folder.file('config.json') } },
    ]);
    expect(code).toBe(0);
    expect(Object.keys(checks)).toEqual([
      'address',
      'connection',
      'static for team/**, other/*',
      'docker_config for tools/**',
      'docker_config',
      'sign-in with static for team/**, other/*',
      'sign-in with docker_config for tools/**',
      'sign-in with docker_config',
    ]);
    expect(checks['static for team/**, other/*']).toMatch(/^ok: user anna\b.*; no end is known$/);
    expect(checks.docker_config).toMatch(/^ok: user anna of .*config\.json; no end is known$/);
    expect(checks['docker_config for tools/**']).toContain(`, for ${host}/tools`);
    expect(checks['sign-in with docker_config']).toMatch(/^ok: token obtained from /);
  });

  it('goes on after one that fails, and says at which step it did', async () => {
    await using folder = await Folder.make();
    await using registry = await FakeRegistry.start({ auth: 'basic', anonymous: false, username: 'anna', password });
    await writeFile(folder.file('docker-credential-broken'), '#!/bin/sh\necho planted-output; exit 1\n');
    await chmod(folder.file('docker-credential-broken'), 0o755);
    const { code, checks } = await examine(
      folder,
      registry.host,
      [
        { helper: { name: 'broken' }, repositories: ['a/**'] },
        { helper: { name: 'absent' }, repositories: ['b/**'] },
        { static: { username: 'anna', password: 'planted-and-wrong' }, repositories: ['c/**'] },
        { static: { username: 'anna', password } },
      ],
      { PATH: `${folder.path}:${process.env.PATH ?? ''}` },
    );
    expect(code).toBe(1);
    expect(checks['helper for a/**']).toMatch(/^fail: docker-credential-broken /);
    expect(checks['helper for b/**']).toMatch(/^fail: docker-credential-absent is not in PATH/);
    expect(checks['static for c/**']).toMatch(/^ok: user anna/);
    expect(checks['sign-in with static for c/**']).toBe('fail: rejects the user or password (401)');
    expect(checks['sign-in with static']).toBe('ok: signed in');
    expect(Object.keys(checks)).not.toContain('sign-in with helper for a/**');
  });

  it('and says until when those of a cloud are valid, and which request to the cloud failed', async () => {
    await using folder = await Folder.make();
    await using registry = await FakeRegistry.start({ auth: 'basic', anonymous: false, username: 'oauth2accesstoken' });
    await using cloud = await new GoogleCloud(new SystemClock()).start();
    const run = () =>
      examine(
        folder,
        registry.host,
        { google: { registry_hosts: [registry.host] } },
        { GCE_METADATA_HOST: cloud.host },
      );
    registry.behaviour.password = 'ya29.planted-cloud-secret-1';
    const { code, checks } = await run();
    expect([code, checks['sign-in with google']]).toEqual([0, 'ok: signed in']);
    const [, identity, end = ''] = /^ok: (.*), until (\S+Z)$/.exec(checks.google ?? '') ?? [];
    expect(identity).toBe(`service account ${cloud.email}`);
    expect(Math.abs(Date.parse(end) - Date.now() - 3_599_000)).toBeLessThan(120_000);
    cloud.lie = { at: '/token', send: (_, response) => response.writeHead(403).end('planted-body') };
    const failed = await run();
    expect(failed.code).toBe(1);
    expect(failed.checks.google).toMatch(/^fail: the token request to the metadata server failed/);
  });

  it('with an identity token as pulls use it, at a fallback too', async () => {
    await using folder = await Folder.make();
    await using registry = await FakeRegistry.start({ auth: 'bearer', anonymous: false, username: 'anna', password });
    registry.behaviour.identityTokens = { 'planted-identity': 'anna' };
    const { host } = registry;
    const config = async (name: string, token: string) => {
      const auths = { [host]: { auth: auth('00000000-0000-0000-0000-000000000000', ''), identitytoken: token } };
      await writeFile(folder.file(`${name}.json`), JSON.stringify({ auths }));
      return { docker_config: { file: folder.file(`${name}.json`) } };
    };
    const { code, checks } = await examine(folder, host, await config('main', 'planted-identity'), {}, [
      { host, path_prefix: 'standby', tls: false, credentials: await config('standby', 'planted-and-revoked') },
    ]);
    expect(checks['sign-in with docker_config']).toMatch(/^ok: token obtained from /);
    expect(checks[`sign-in with docker_config at ${host}/standby`]).toMatch(/^fail: \S+ rejects the identity token/);
    expect(code).toBe(1);
  });

  it('warns of one that has none for the registry, and tries sources where the registry cannot be reached', async () => {
    await using folder = await Folder.make();
    await writeFile(folder.file('config.json'), JSON.stringify({ auths: { 'other.test': { auth: auth('anna') } } }));
    const { code, checks } = await examine(folder, '127.0.0.1:1', {
      docker_config: { file: folder.file('config.json') },
    });
    expect(code).toBe(1);
    expect(checks.connection).toMatch(/^fail: /);
    expect(checks.docker_config).toBe('warn: has no credentials for 127.0.0.1:1: its images are pulled without');
    expect(Object.keys(checks)).not.toContain('sign-in');
  });
});
