import { execFileSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { clientSnippets } from '../../../src/observability/clients/client-snippets.js';
import { mirrorAddress } from '../../../src/observability/clients/mirror-address.js';
import { Folder } from '../support/folder.js';
import { Mirror } from '../support/mirror.js';
import { getPage, pageText } from '../support/pages.js';

const setup = '/_ui/setup';

describe('the set-up page', () => {
  it('configures clients for the address that it was asked at, and for no other text', async () => {
    await using mirror = await Mirror.start({ server: { unknownNamespaces: 'deny' } });
    expect(await pageText(mirror, setup, { headers: { host: 'Mirror.Example.com:8080' } })).toContain(
      'http://mirror.example.com:8080',
    );
    const secure = await pageText(mirror, setup, {
      headers: { host: 'mirror.example.com', 'x-forwarded-proto': 'https' },
    });
    expect(secure).toContain('https://mirror.example.com');
    const refused = await pageText(mirror, setup, { headers: { host: 'a"]b.example' } });
    expect(refused).not.toContain('b.example');
  });

  it.each([
    ['docker.io', true],
    ['Index.Docker.io', true],
    ['ghcr.io', false],
    ['registry.test', false],
  ])(
    'offers registry-mirrors for Docker Hub only if requests of Docker go there: %s',
    async (defaultNamespace, offers) => {
      const upstreams = [{ namespace: 'docker.io', host: '127.0.0.1:1' }];
      await using mirror = await Mirror.start({ server: { defaultNamespace }, upstreams });
      expect((await pageText(mirror, setup)).includes('registry-mirrors')).toBe(offers);
    },
  );

  it('has archives with the same files as the snippets, for every registry, which tar unpacks', async () => {
    const long = `${'a'.repeat(60)}.${'b'.repeat(60)}.example:5000`;
    const upstreams = ['docker.io', 'registry.test', long].map((namespace) => ({ namespace, host: '127.0.0.1:1' }));
    await using mirror = await Mirror.start({ upstreams });
    await using folder = await Folder.make();
    const host = 'mirror.example.com:8080';
    const unpack = async (name: string, into: string) => {
      const { status, headers, body } = await getPage(mirror, `${setup}?download=${name}`, { headers: { host } });
      expect([status, headers['content-type']]).toEqual([200, 'application/x-tar']);
      expect(headers['content-disposition']).toBe(`attachment; filename="${name}"`);
      execFileSync('tar', ['-x', '-C', into], { input: body });
    };
    for (const name of ['certs.d.tar', 'registries.conf.d.tar']) await unpack(name, folder.path);
    const names = ['docker.io', 'registry.test', long, 'ghcr.io', 'quay.io', 'registry.k8s.io'];
    expect((await readdir(join(folder.path, 'certs.d'))).sort()).toEqual(['_default', ...names].sort());
    const snippets = clientSnippets(mirrorAddress(host, false, names)!);
    const textOf = (file: string) => snippets.find((snippet) => snippet.file === file)?.text;
    for (const path of ['certs.d/_default/hosts.toml', 'certs.d/registry.test/hosts.toml'])
      expect(await readFile(join(folder.path, path), 'utf8')).toBe(textOf(`/etc/containerd/${path}`));
    expect(await readFile(join(folder.path, 'certs.d/docker.io/hosts.toml'), 'utf8')).toContain(
      'server = "https://registry-1.docker.io"',
    );
    const conf = 'registries.conf.d/50-mirror.conf';
    expect(await readFile(join(folder.path, conf), 'utf8')).toBe(textOf(`/etc/containers/${conf}`));
    for (const name of ['', 'certs.d', '../certs.d.tar', '__proto__'])
      expect((await getPage(mirror, `${setup}?download=${name}`, { headers: { host } })).status, name).toBe(404);
    const hostile = await getPage(mirror, `${setup}?download=certs.d.tar`, { headers: { host: 'a"]b.example' } });
    expect(hostile.status).toBe(404);
  });
});
