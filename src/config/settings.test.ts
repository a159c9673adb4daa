import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigurationError } from './configuration-error.js';
import { ServerSettings } from './server.settings.js';
import { loadSettings, type SettingsText } from './settings.js';
import { FilesystemSettings } from './storage.settings.js';

const load = (text: Partial<SettingsText> = {}) =>
  loadSettings({ server: {}, storage: { name: 'filesystem', text: {} }, ...text });

function mistakes(text: Partial<SettingsText>): string[] {
  try {
    load(text);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return (error as ConfigurationError).message.split('\n');
  }
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'oci-registry-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(content: string): string {
  const path = join(folder, 'upstreams.yaml');
  writeFileSync(path, content);
  return path;
}

describe('loadSettings', () => {
  it('needs nothing: everything has a default', () => {
    expect(load()).toMatchObject({ server: new ServerSettings(), storage: new FilesystemSettings(), upstreams: [] });
    expect(load().server).toMatchObject({
      listen: '0.0.0.0:8080',
      defaultNamespace: 'docker.io',
      drainTimeout: 30_000,
    });
    expect(load().storage).toEqual({ provider: 'filesystem', root: './data', umask: 0o077 });
  });

  it('turns text into what the settings are', () => {
    const { server, storage } = load({
      server: {
        listen: 'unix:/run/registry.sock',
        'default-namespace': 'quay.io',
        'unknown-namespaces': 'deny',
        'check-cache-digest': '1',
        'max-downloads': '8',
        'drain-timeout': '1m 30s',
        'log-level': 'warn',
      },
      storage: { name: 'filesystem', text: { root: '/srv/registry' } },
    });
    expect(server).toMatchObject({
      listen: 'unix:/run/registry.sock',
      defaultNamespace: 'quay.io',
      unknownNamespaces: 'deny',
      checkCacheDigest: true,
      maxDownloads: 8,
      drainTimeout: 90_000,
      logLevel: 'warn',
    });
    expect(storage).toEqual({ provider: 'filesystem', root: '/srv/registry', umask: 0o077 });
  });

  it('counts workers, one on each core when it is left to it', () => {
    expect(load({ server: { workers: '4' } }).server.workers).toBe(4);
    expect(load({ server: { workers: 'auto' } }).server.workers).toBe(Math.min(availableParallelism(), 64));
    for (const workers of ['0', '65', 'all', '1.5'])
      expect(() => load({ server: { workers } })).toThrow('--workers: must be a whole number from 1 to 64, or auto');
  });

  it('reads the file that is named and merges the credentials over it', () => {
    const { upstreams } = load({
      server: {
        'upstream-config-file': file('- {namespace: a.b, host: c.d}'),
        'upstream-credentials': '{"a.b":{"username":"u","password":"p"}}',
      },
    });
    expect(upstreams).toMatchObject([{ namespace: 'a.b', host: 'c.d', username: 'u' }]);
  });

  it('reports the mistakes of the command line, the storage, the file and the credentials at once', () => {
    const upstreams = file('- {namespace: a.b}');
    expect(
      mistakes({
        server: {
          listen: 'nowhere',
          'max-downloads': '0',
          'drain-timeout': '30',
          colour: 'red',
          'upstream-config-file': upstreams,
          'upstream-credentials': '{"c d":{}}',
        },
        storage: { name: 'filesystem', text: { root: '', size: '1' } },
      }),
    ).toEqual([
      '--max-downloads: must be a whole number from 1 to 10000',
      '--drain-timeout: must be a duration such as 30s, 1h 30m or 14d',
      '--listen: must be host:port, with a port up to 65535, or unix:/path',
      '--colour: is not a known setting',
      'filesystem --root: empty text: must be the path of a directory',
      'filesystem --size: is not a known setting',
      '--upstream-credentials[0]: a map: the key must be a registry host',
      `upstreams[0].host: missing: must be a host name or address with an optional port, without scheme or path (${upstreams}, line 1)`,
    ]);
  });

  it('reports a file that cannot be read, in one line', () => {
    expect(mistakes({ server: { 'upstream-config-file': join(folder, 'absent') } })).toEqual([
      `--upstream-config-file: a file: cannot be read: ENOENT: no such file or directory: ${join(folder, 'absent')}`,
    ]);
  });

  it('never repeats a secret', () => {
    const lines = mistakes({
      server: { 'upstream-credentials': '{"a.b":{"username":"u","password":"hunter2\\n"},', listen: 'hunter2' },
    });
    expect(lines).toHaveLength(2);
    expect(lines.join('\n')).not.toContain('hunter2');
  });
});
