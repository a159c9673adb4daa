import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Namespace } from './namespace.js';

const long = 'a'.repeat(63);

describe('Namespace', () => {
  const canonical = {
    'docker.io': 'docker.io',
    'Docker.IO': 'docker.io',
    'docker.io.': 'docker.io',
    'docker.io:443': 'docker.io',
    'docker.io:0443': 'docker.io',
    'docker.io.:443': 'docker.io',
    'index.docker.io': 'docker.io',
    'registry-1.docker.io': 'docker.io',
    'REGISTRY-1.docker.io.:443': 'docker.io',
    'registry-1.docker.io:5000': 'registry-1.docker.io:5000',
    'docker.io:80': 'docker.io:80',
    'xdocker.io': 'xdocker.io',
    localhost: 'localhost',
    'localhost:5000': 'localhost:5000',
    'localhost:05000': 'localhost:5000',
    registry: 'registry',
    'a-b.c--d.example:1': 'a-b.c--d.example:1',
    'xn--bcher-kva.example': 'xn--bcher-kva.example',
    '127.0.0.1:5000': '127.0.0.1:5000',
    '[::1]': '[::1]',
    '[::1]:443': '[::1]',
    '[FE80::1]:5000': '[fe80::1]:5000',
    '[::ffff:10.0.0.1]': '[::ffff:10.0.0.1]',
    'host:65535': 'host:65535',
    [`${long}.${long}.${long}.${long.slice(2)}`]: `${long}.${long}.${long}.${long.slice(2)}`,
  };
  for (const [text, name] of Object.entries(canonical)) {
    it(`of ${text.slice(0, 70)} is ${name.slice(0, 70)}`, () => {
      expect(Namespace.parse(text).toString()).toBe(name);
    });
  }

  const junk = {
    'no text': '',
    'a dot': '.',
    'two dots': '..',
    'a port alone': ':5000',
    'an empty port': 'host:',
    'port 0': 'host:0',
    'port 65536': 'host:65536',
    'a port of six digits': 'host:000080',
    'a port that is no number': 'host:http',
    'two ports': 'host:1:2',
    'a scheme': 'https://host',
    'a path': 'host/path',
    'a user': 'user@host',
    'a query': 'host?x',
    'a space': 'host name',
    'a line feed': 'host\n',
    'a carriage return': 'host\r\nx',
    'a NUL': 'host\0',
    'a percent sign': 'host%2e',
    'an empty label': 'a..b',
    'a leading dot': '.example',
    'two trailing dots': 'example..',
    'a label that begins with a hyphen': '-a.example',
    'a label that ends with a hyphen': 'a-.example',
    'an underscore': 'a_b.example',
    'a label of 64 characters': `${'a'.repeat(64)}.example`,
    'a name of 254 characters': `${long}.${long}.${long}.${'a'.repeat(62)}`,
    'a mebibyte': 'a.'.repeat(512 * 1024),
    'an IPv6 address without brackets': '::1',
    'brackets around a name': '[host]',
    'brackets around an IPv4 address': '[127.0.0.1]',
    'empty brackets': '[]',
    'an open bracket': '[::1',
    'an IPv6 address with a zone': '[fe80::1%eth0]',
    'a malformed IPv6 address': '[:::1]',
    'a letter outside ASCII': 'bücher.example',
    'the Kelvin sign, which lower case makes a k': 'doc\u212Aer.io',
    'the parent folder': '../..',
  };
  for (const [what, text] of Object.entries(junk)) {
    it(`is not ${what}`, () => {
      expect(() => Namespace.parse(text)).toThrow(expect.objectContaining({ code: 'NAME_INVALID', status: 400 }));
    });
  }

  it('is canonical: parsing what it prints as changes nothing', () => {
    const text = fc.oneof(
      fc.domain(),
      fc.ipV4(),
      fc.ipV6().map((address) => `[${address}]`),
      fc.tuple(fc.domain(), fc.nat({ max: 70_000 })).map(([name, port]) => `${name.toUpperCase()}.:${port}`),
      fc.string({ unit: fc.constantFrom(...'aZ0.-:[]'.split('')), maxLength: 12 }),
    );
    fc.assert(
      fc.property(text, (from) => {
        let namespace: Namespace;
        try {
          namespace = Namespace.parse(from);
        } catch {
          return;
        }
        const again = Namespace.parse(namespace.toString());
        expect(again.toString()).toBe(namespace.toString());
        expect(again.equals(namespace)).toBe(true);
        expect(namespace.toString()).toMatch(/^(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d+)?$/);
      }),
      { numRuns: 1000 },
    );
  });

  it('throws nothing but NAME_INVALID, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (text) => {
        try {
          Namespace.parse(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'NAME_INVALID' });
        }
      }),
    );
  });

  it('of another port is another registry', () => {
    const [plain, ported] = [Namespace.parse('example.com'), Namespace.parse('example.com:5000')];
    expect(plain.equals(ported)).toBe(false);
    expect(plain.equals(Namespace.parse('EXAMPLE.com:443'))).toBe(true);
    expect(ported.host).toBe('example.com');
    expect(ported.port).toBe(5000);
  });

  it('is Docker Hub by any of its names, and by no other port', () => {
    for (const name of ['docker.io', 'index.docker.io', 'registry-1.docker.io']) {
      expect(Namespace.parse(name).isDockerHub).toBe(true);
    }
    for (const name of ['docker.io:5000', 'ghcr.io', 'docker.io.example', 'hub.docker.io']) {
      expect(Namespace.parse(name).isDockerHub).toBe(false);
    }
  });

  it('is a domain name when public DNS can answer it, and no address in any spelling', () => {
    for (const name of ['ghcr.io', 'ghcr.io:5000', 'a.b.c.example', 'xn--bcher-kva.example', '1password.com']) {
      expect(Namespace.parse(name).isDomainName, name).toBe(true);
    }
    for (const name of [
      'localhost',
      'registry:5000',
      '127.0.0.1',
      '127.1',
      '0177.0.0.1',
      '2130706433',
      '127.0.0.0x1',
      '0x7f.0.0.0x1',
      '[::1]',
      '[::ffff:127.0.0.1]:80',
    ]) {
      expect(Namespace.parse(name).isDomainName, name).toBe(false);
    }
  });

  it('is looked for in a first path component with a dot or a colon, and in localhost', () => {
    for (const component of ['ghcr.io', 'host:5000', 'localhost', 'LOCALHOST', 'a.b', '[::1]:80']) {
      expect(Namespace.looksLikeHost(component), component).toBe(true);
    }
    for (const component of ['library', 'localhosts', 'ghcr', 'a-b', '', 'x.y_z', 'a__b.c', `${'a'.repeat(64)}.b`]) {
      expect(Namespace.looksLikeHost(component), component).toBe(false);
    }
  });
});
