import { chmod, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test } from 'vitest';
import { DockerEngine } from './support/docker.js';
import { HostedServer } from './support/hosted-server.js';
import { type Environment, run } from './support/process.js';
import { homeOf } from './support/pushing-clients.js';
import { Scratch } from './support/scratch.js';
import { type Program, signIn } from './support/sign-in.js';
import { UpstreamRegistry } from './support/upstream-registry.js';

const { schema2 } = inject('images');

/** Programs that sign in, and the files in which they store what they sign in with. */
const files: Partial<Record<Program, (home: string) => string>> = {
  skopeo: (home) => `${home}/auth.json`,
  podman: (home) => `${home}/auth.json`,
  buildah: (home) => `${home}/auth.json`,
  crane: (home) => `${home}/config.json`,
  oras: (home) => `${home}/config.json`,
  helm: (home) => `${home}/helm.json`,
};
const programs = Object.keys(files) as Program[];

/** A helper that keeps what it is given in a file beside it. */
const shelf = `#!/bin/sh
case $1 in
  store) exec cat >"$0.stored" ;;
  get) [ -e "$0.stored" ] || { echo 'credentials not found in native keychain'; exit 1; }; exec cat "$0.stored" ;;
esac
`;

describe('a mirror signs in with what was stored by', () => {
  let scratch: Scratch;
  let upstream: UpstreamRegistry;
  let server: HostedServer;

  /** Where the program stores what it signs in with. */
  const homeFor = async (name: string): Promise<{ home: string; environment: Environment }> => {
    const home = await scratch.folder('logins', name);
    const own = {
      DOCKER_CONFIG: home,
      REGISTRY_AUTH_FILE: `${home}/auth.json`,
      HELM_REGISTRY_CONFIG: `${home}/helm.json`,
    };
    return { home, environment: { ...(await homeOf(scratch)), ...own } };
  };
  const loginWith = async (program: Program): Promise<string> => {
    const { home, environment } = await homeFor(program);
    await signIn(program, upstream.host, upstream.reader, environment);
    return files[program]!(home);
  };
  const loginBelow = async (folder: string): Promise<string> => {
    const { home, environment } = await homeFor('path');
    const { username, password } = upstream.reader;
    const flags = ['--tls-verify=false', '--username', username, '--password', password];
    await run('podman', ['login', ...flags, `${upstream.host}/${folder}`], { environment });
    return `${home}/auth.json`;
  };
  const loginWithHelper = async (): Promise<string> => {
    const { home, environment } = await homeFor('helper');
    await writeFile(scratch.file('docker-credential-shelf'), shelf);
    await chmod(scratch.file('docker-credential-shelf'), 0o755);
    await writeFile(`${home}/config.json`, JSON.stringify({ credsStore: 'shelf' }));
    await signIn('crane', upstream.host, upstream.reader, { ...environment, PATH: pathWithHelper() });
    return `${home}/config.json`;
  };
  const loginWithDocker = async (): Promise<string> => {
    const engine = await DockerEngine.mirrored(scratch, `http://${upstream.host}`);
    await engine.login(upstream.host, upstream.reader);
    const { home } = await homeFor('docker');
    const text = await readFile(scratch.file('docker/config.json'));
    await engine.close();
    await writeFile(`${home}/config.json`, text);
    return `${home}/config.json`;
  };
  const pathWithHelper = () => `${scratch.path}:${process.env['PATH'] ?? ''}`;

  beforeAll(async () => {
    scratch = await Scratch.open();
    upstream = await UpstreamRegistry.start(scratch, 'token');
    const stored: Record<string, string> = {
      docker: await loginWithDocker(),
      helper: await loginWithHelper(),
      path: await loginBelow(dirname(schema2.repository)),
    };
    for (const program of programs) stored[program] = await loginWith(program);
    const entry = ([name, file]: [string, string]) =>
      `- { namespace: ${name}.test, host: '${upstream.host}', tls: false, token_realms: ${JSON.stringify(upstream.tokenRealms)}, ` +
      `credentials: { docker_config: { file: ${file} } } }\n`;
    const upstreams = Object.entries(stored).map(entry).join('');
    server = await HostedServer.start(scratch, { upstreams, environment: { PATH: pathWithHelper() } });
  });
  afterAll(() => (scratch as Scratch | undefined)?.close());

  const pull = async (namespace: string) => {
    const path = `/v2/${namespace}.test/${schema2.repository}/manifests/${schema2.tag}`;
    const response = await fetch(`http://${server.address}${path}`, { signal: AbortSignal.timeout(60_000) });
    return [response.status, await response.text()];
  };

  test.each([
    ...[...programs, 'docker'].map((name) => ({ name, who: name })),
    { name: 'helper', who: 'crane, in a credential helper' },
    { name: 'path', who: 'podman, for a path of the registry' },
  ])('$who', async ({ name }) => {
    onTestFailed(async () => console.error(await server.logTail()));
    expect(await pull(name)).toEqual([200, expect.stringContaining('schemaVersion')]);
  });

  test('others, and never logs it', async () => {
    const log = await readFile(scratch.file('hosted.log'), 'utf8');
    expect(upstream.secrets.filter((secret) => log.includes(secret))).toEqual([]);
  });
});
