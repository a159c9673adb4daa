import { writeFile } from 'node:fs/promises';
import type { LookupOptions } from 'node:dns';
import { describe, expect, it } from 'vitest';
import { Folder } from '../../../test/e2e/support/folder.js';
import { DnsServer } from '../../../test/fakes/dns-server.js';
import { dnsLookup } from './dns.lookup.js';

const zone: Record<string, readonly string[]> = {
  'both.example': ['2001:db8::7', '192.0.2.7'],
  'four.example': ['192.0.2.4', '192.0.2.5'],
  'six.example': ['2001:db8::6'],
  'empty.example': [],
};

const start = () => DnsServer.start((name) => (name === 'silent.example' ? 'silent' : zone[name]));

/** Addresses in any order, or the code of the error. */
function find(server: DnsServer, name: string, options: LookupOptions = { all: true }, hosts = '/dev/null') {
  return new Promise<unknown>((resolve) => {
    dnsLookup([server.address], hosts)(name, options, (error, found) => {
      if (error) resolve(error.code);
      else resolve(Array.isArray(found) ? found.map(({ address }) => address).sort() : found);
    });
  });
}

describe('dnsLookup', () => {
  it('finds the addresses of both families, or of the one that is requested', async () => {
    await using server = await start();
    expect(await find(server, 'both.example')).toEqual(['192.0.2.7', '2001:db8::7']);
    expect(await find(server, 'four.example')).toEqual(['192.0.2.4', '192.0.2.5']);
    expect(await find(server, 'six.example')).toEqual(['2001:db8::6']);
    expect(await find(server, 'both.example', { all: true, family: 4 })).toEqual(['192.0.2.7']);
    expect(await find(server, 'both.example', { all: true, family: 6 })).toEqual(['2001:db8::7']);
    expect(await find(server, 'six.example', {})).toBe('2001:db8::6');
  });

  it('treats a name without an address like one that does not exist', async () => {
    await using server = await start();
    expect(await find(server, 'nowhere.example')).toBe('ENOTFOUND');
    expect(await find(server, 'empty.example')).toBe('ENOTFOUND');
    expect(await find(server, 'four.example', { all: true, family: 6 })).toBe('ENOTFOUND');
  });

  it('asks for the name as it is, without search domains', async () => {
    await using server = await start();
    await find(server, 'nowhere.example');
    expect(new Set(server.queries)).toEqual(new Set(['A nowhere.example', 'AAAA nowhere.example']));
  });

  it('gives up on a silent server within five seconds', async () => {
    await using server = await start();
    const began = performance.now();
    expect(await find(server, 'silent.example')).toBe('ETIMEOUT');
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it('honours the hosts file, without a query', async () => {
    await using server = await start();
    await using folder = await Folder.make();
    const hosts = folder.file('hosts');
    await writeFile(
      hosts,
      '# both.example\n192.0.2.99\tother.example Both.Example # pinned\n::1 localhost\nnonsense both.example\n',
    );
    expect(await find(server, 'both.example', { all: true }, hosts)).toEqual(['192.0.2.99']);
    expect(server.queries).toEqual([]);
    expect(await find(server, 'four.example', { all: true }, hosts)).toHaveLength(2);
  });
});
