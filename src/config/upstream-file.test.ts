import fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate } from '../../test/fixtures/certificate.js';
import { ConfigurationError } from './configuration-error.js';
import { readSettingFile } from './files/setting-file.js';
import { readNamespaces } from './upstream-file.js';

const readUpstreams = (yaml?: string, credentials?: string) => readNamespaces(yaml, credentials).upstreams;

/** The lines of the error; none when there is no mistake. */
function mistakes(yaml?: string, credentials?: string): string[] {
  try {
    readUpstreams(yaml, credentials);
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

describe('the upstream file', () => {
  it('may be absent, empty, or have comments only', () => {
    for (const yaml of [undefined, '', '\n', '# nothing yet\n', '---\n', '[]', 'null']) {
      expect(readUpstreams(yaml, undefined)).toEqual([]);
    }
  });

  it('gives each upstream its settings and the defaults of the rest', () => {
    const [hub, local] = readUpstreams(
      `
- namespace: docker.io
  host: registry-1.docker.io
- namespace: registry.local:5000
  host: 10.0.0.1:5000
  tls: false
  accept_invalid_certs: true
  user_agent: mirror/1
  username: user
  password: pass
  token_realms: [auth.local, "auth.local:8443"]
  tag_ttl: 1h 30m
  unused_content_ttl: 14d
`,
      undefined,
    );
    expect(hub).toMatchObject({
      namespace: 'docker.io',
      host: 'registry-1.docker.io',
      tls: true,
      acceptInvalidCerts: false,
      tokenRealms: [],
      tagTtl: 600_000,
    });
    expect(hub?.credentials).toBeUndefined();
    expect(local).toMatchObject({
      tls: false,
      acceptInvalidCerts: true,
      userAgent: 'mirror/1',
      tokenRealms: ['auth.local', 'auth.local:8443'],
      tagTtl: 5_400_000,
      unusedContentTtl: 1_209_600_000,
    });
    expect(local?.credentials?.username).toBe('user');
    expect(local?.credentials?.password.reveal()).toBe('pass');
  });

  it('treats null as unset, as the predecessor wrote it', () => {
    const [upstream] = readUpstreams(
      '- {namespace: docker.io, host: a.b, user_agent: null, username: ~, password:, blob_invalidation_time: null}',
      undefined,
    );
    expect(upstream).toMatchObject({ tls: true, tagTtl: 600_000 });
    expect(upstream?.credentials).toBeUndefined();
    expect(upstream?.userAgent).toBeUndefined();
  });

  it('keeps the earlier names of the two lifetimes, and refuses both names at once', () => {
    const times = 'manifest_invalidation_time: 1h 30m, blob_invalidation_time: 14d';
    const [upstream] = readUpstreams(`- {namespace: ghcr.io, host: ghcr.io, ${times}}`, undefined);
    expect(upstream).toMatchObject({ tagTtl: 5_400_000, unusedContentTtl: 1_209_600_000 });
    expect(mistakes(`- {namespace: ghcr.io, host: ghcr.io, ${times}, tag_ttl: 5m}`, undefined)).toEqual([
      'upstreams[0].tag_ttl: text: is the new name of manifest_invalidation_time: set only one of them',
    ]);
  });

  it('reports every mistake at once', () => {
    const yaml = `
- namespace: docker.io
  hosts: registry-1.docker.io
- text
- namespace: ghcr.io
  host: https://ghcr.io
  tls: maybe
  manifest_invalidation_time: 5
  username: user
`;
    expect(mistakes(yaml, '{"quay.io":7,"not a host":{"username":"u","password":"p"}}').sort()).toEqual(
      [
        'upstreams[0].host: missing: must be a host name or address with an optional port, without scheme or path',
        'upstreams[0].hosts: text: is not a known setting; did you mean host?',
        'upstreams[1]: text: must be a map with namespace and host',
        'upstreams[2].host: text: must be a host name or address with an optional port, without scheme or path',
        'upstreams[2].tls: text: must be true, false, 1 or 0',
        'upstreams[2].manifest_invalidation_time: a number: must be a duration such as 30s, 1h 30m or 14d',
        'upstreams[2].password: missing: username and password must be set together',
        'UPSTREAM_CREDENTIALS[quay.io]: a number: must be a map with username and password',
        'UPSTREAM_CREDENTIALS[1]: a map: the key must be a registry host',
      ].sort(),
    );
  });

  it('has to be a list', () => {
    for (const [yaml, kind] of [
      ['namespace: docker.io', 'a map'],
      ['docker.io', 'text'],
      ['7', 'a number'],
      ['- {namespace: a.b, host: a.b}\n---\n- {namespace: c.d, host: c.d}', 'a list'],
    ] as const) {
      expect(mistakes(yaml)).toEqual([`upstreams: ${kind}: must be one YAML list of upstreams`]);
    }
  });

  it('may not name one registry twice, by whatever name', () => {
    const entry = (namespace: string) => `- {namespace: "${namespace}", host: a.b}\n`;
    expect(mistakes(entry('docker.io') + entry('ghcr.io') + entry('Index.Docker.io.'))).toEqual([
      'upstreams[2].namespace: text: repeats upstreams[0]',
    ]);
    expect(mistakes(entry('a.b:443') + entry('a.b'))).toHaveLength(1);
    expect(mistakes(entry('a.b:5000') + entry('a.b'))).toEqual([]);
  });

  it('has half credentials reported', () => {
    expect(mistakes('- {namespace: a.b, host: a.b, username: u}')).toEqual([
      'upstreams[0].password: missing: username and password must be set together',
    ]);
    expect(mistakes('- {namespace: a.b, host: a.b, password: p}')).toEqual([
      'upstreams[0].username: missing: username and password must be set together',
    ]);
    expect(mistakes('- {namespace: a.b, host: a.b, username: u, password: ""}')).toEqual([
      'upstreams[0].password: empty text: must be text without control characters',
    ]);
  });

  it('has a certificate file checked', () => {
    const [good, bad] = [join(folder, 'ca.pem'), join(folder, 'not.pem')];
    writeFileSync(good, makeCertificate().cert);
    writeFileSync(bad, 'text');
    const entry = (file: string) => `- {namespace: a.b, host: a.b, ca_file: "${file}"}`;
    expect(mistakes(entry(good))).toEqual([]);
    expect(mistakes(entry(bad))).toEqual(['upstreams[0].ca_file: a file: contains no PEM certificate']);
    writeFileSync(bad, makeCertificate().cert.slice(0, -40));
    expect(mistakes(entry(bad))).toEqual(['upstreams[0].ca_file: a file: contains a damaged certificate']);
    expect(mistakes(entry(join(folder, 'absent')))).toEqual([
      `upstreams[0].ca_file: a file: cannot be read: ENOENT: no such file or directory: ${join(folder, 'absent')}`,
    ]);
  });

  it('is not harmed by keys of inherited properties', () => {
    const yaml = `
- __proto__: {password: stolen, username: thief}
  constructor: {prototype: {polluted: true}}
  namespace: a.b
  host: a.b
`;
    expect(mistakes(yaml)).toEqual([
      'upstreams[0].__proto__: a map: is not a known setting',
      'upstreams[0].constructor: a map: is not a known setting',
    ]);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(({} as { password?: string }).password).toBeUndefined();
    expect(mistakes('__proto__: []')).toEqual(['upstreams: a map: must be one YAML list of upstreams']);
  });

  it('may use anchors, aliases and multi-line text', () => {
    const [first, second] = readUpstreams(
      '- {namespace: a.b, host: &host mirror.example}\n- namespace: c.d\n  host: *host\n  user_agent: >-\n    two\n    words',
      undefined,
    );
    expect(second?.host).toBe(first?.host);
    expect(second?.userAgent).toBe('two words');
  });
});

describe('an upstream file that is no YAML', () => {
  it('has reason and line reported', () => {
    expect(mistakes('- namespace: a.b\n  host: "a.b\n')).toEqual([
      'upstreams: text: is not valid YAML: deficient indentation (line 3)',
    ]);
  });

  const planted = 'hunter2';
  const templates = [
    'password: *SECRET',
    'password: !SECRET x',
    'password: !SECRET!x y',
    'password: !<SECRET> x',
    'password: !<SECRET x',
    'password: !!SECRET x',
    'password: &SECRET',
    'password: @SECRET',
    'password: `SECRET',
    'password: "SECRET',
    "password: 'SECRET",
    'password: "\\qSECRET"',
    'password: "\\uSECRET"',
    'password: {SECRET',
    'password: [SECRET',
    'password: %SECRET: x: y',
    'password: |SECRET',
    'password: >SECRET',
    'password: a: SECRET',
    'password: !!int SECRET',
    'password: !!binary SECRET',
    'password: !!map SECRET',
    'password: x\n\tSECRET',
    'SECRET: 1\n  SECRET: 2',
    '? SECRET\n- x',
    'password: SECRET\u0000',
  ];
  const spellings = [
    planted,
    `${planted}"`,
    `a"${planted}`,
    `"${planted}`,
    `a'${planted}`,
    `a<${planted}`,
    `a>${planted}`,
    `a"b"${planted}`,
    `a\\${planted}`,
    `a!${planted}`,
    `a:${planted}`,
    `a,${planted}`,
    `a b${planted}`,
  ];
  for (const template of templates) {
    it(`does not have a secret repeated that stands in ${JSON.stringify(template)}`, () => {
      // The name of an unknown setting is reported, values are not.
      const isName = (line: string) => line.endsWith('is not a known setting');
      for (const spelling of spellings) {
        for (const head of [
          '- namespace: a.b\n  ',
          '%TAG !SECRET! SECRET\n%TAG !SECRET! b\n--- \n- ',
          '%SECRET\n---\n- ',
          '',
        ]) {
          const yaml = (head + template).replaceAll('SECRET', spelling);
          expect(
            mistakes(yaml)
              .filter((line) => !isName(line))
              .join('\n'),
            yaml,
          ).not.toContain(planted);
        }
      }
    });
  }

  it('never repeats a secret in a message, whatever surrounds it', () => {
    const around = fc.string({ unit: fc.constantFrom(...'\n -:?!&*%@`\'"\\{}[],#|<>a~'.split('')), maxLength: 12 });
    fc.assert(
      fc.property(around, around, fc.constantFrom('', '- password: '), (before, after, head) => {
        const lines = mistakes(head + before + planted + after, undefined);
        // The name of an unknown setting is reported, values are not.
        const names = lines.filter((line) => !line.endsWith('is not a known setting'));
        expect(names.join('\n')).not.toContain(planted);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('the credentials map', () => {
  const file =
    '- {namespace: docker.io, host: mirror.example, tls: false}\n- {namespace: a.b, host: a.b, username: u, password: p}';
  const signIn = (username: string, password: string) => ({ username, password });

  it('is merged over the file, by canonical name', () => {
    const upstreams = readUpstreams(
      file,
      JSON.stringify({ 'INDEX.docker.io': signIn('hub', 'hub-pass'), 'a.b:443': signIn('other', 'other-pass') }),
    );
    expect(upstreams).toHaveLength(2);
    expect(upstreams[0]).toMatchObject({ host: 'mirror.example', tls: false, username: 'hub' });
    expect(upstreams[0]?.credentials?.password.reveal()).toBe('hub-pass');
    expect(upstreams[1]?.credentials?.username).toBe('other');
    expect(upstreams[1]?.credentials?.password.reveal()).toBe('other-pass');
  });

  it('makes an upstream of a registry that only it names', () => {
    const credentials = JSON.stringify({ 'docker.io': signIn('a', 'b'), 'Quay.io': signIn('c', 'd') });
    expect(readUpstreams(undefined, credentials)).toMatchObject([
      { namespace: 'docker.io', host: 'registry-1.docker.io', tls: true, username: 'a' },
      { namespace: 'quay.io', host: 'quay.io', tls: true, username: 'c' },
    ]);
  });

  it('takes null as unset', () => {
    const upstreams = readUpstreams(file, '{"a.b":{"username":null,"password":null}}');
    expect(upstreams[1]?.credentials).toBeUndefined();
  });

  it('has half credentials reported, also where the file has the other half', () => {
    expect(mistakes(file, '{"docker.io":{"username":"u"}}')).toEqual([
      'upstreams[0].password: missing: username and password must be set together',
    ]);
    expect(mistakes(file, '{"a.b":{"password":"new"}}')).toEqual([
      'upstreams[1].username: missing: username and password must be set together',
    ]);
    expect(mistakes(undefined, '{"c.d":{"password":"new"}}')).toEqual([
      'UPSTREAM_CREDENTIALS[c.d].username: missing: username and password must be set together',
    ]);
  });

  it('has unknown keys reported without their names, which may be misplaced secrets', () => {
    expect(mistakes(file, '{"a.b":{"username":"u","password":"p","host":"evil.example"}}')).toEqual([
      'UPSTREAM_CREDENTIALS[a.b]: a map: has a key other than username and password',
    ]);
    expect(mistakes(file, '{"a.b":{"username":"u","password":"p","hunter2":"","hunter3":1}}')).toEqual([
      'UPSTREAM_CREDENTIALS[a.b]: a map: has 2 keys other than username and password',
    ]);
    expect(mistakes(file, '{"a.b":{"username":"u","password":"p"},"hunter 2":{}}')).toEqual([
      'UPSTREAM_CREDENTIALS[1]: a map: the key must be a registry host',
    ]);
    expect(mistakes(file, '{"a.b":{"username":"u","password":"p","__proto__":{"tls":false}}}')).toEqual([
      'UPSTREAM_CREDENTIALS[a.b]: a map: has a key other than username and password',
    ]);
    expect(mistakes(file, '{"__proto__":{"username":"u","password":"p"}}')).toHaveLength(1);
    expect(({} as { username?: string }).username).toBeUndefined();
  });

  it('may not name one registry twice', () => {
    const credentials = JSON.stringify({ 'docker.io': signIn('a', 'b'), 'index.docker.io': signIn('c', 'd') });
    const line = 'UPSTREAM_CREDENTIALS[docker.io]: a map: repeats another key of the map';
    expect(mistakes(undefined, credentials)).toEqual([line]);
    expect(mistakes(file, credentials)).toEqual([line]);
  });

  for (const text of [
    'hunter2',
    '{"a.b":hunter2}',
    '["hunter2"]',
    '"hunter2"',
    'null',
    '{"a.b":{"password":"hunter2"',
    '',
  ]) {
    it(`has to be a JSON map, and is not repeated: ${JSON.stringify(text)}`, () => {
      expect(mistakes(file, text)).toEqual([
        'UPSTREAM_CREDENTIALS: must be a JSON map from namespace to {"username", "password"}',
      ]);
    });
  }

  it('does not have its secrets repeated in any mistake', () => {
    for (const secret of [
      '"hunter2"',
      '["hunter2"]',
      '{"username":["hunter2"],"password":{"x":"hunter2"}}',
      '{"username":"hunter2\\n","password":"hunter2\\u0000"}',
    ]) {
      const lines = mistakes(file, `{"a.b":${secret}}`);
      expect(lines.length).toBeGreaterThan(0);
      expect(lines.join('\n')).not.toContain('hunter2');
    }
  });
});

describe('readSettingFile', () => {
  it('reads a file as text', () => {
    const file = join(folder, 'upstreams.yaml');
    writeFileSync(file, '# bücher\n');
    expect(readSettingFile(file, '--upstream-config-file')).toBe('# bücher\n');
  });

  it('blames the setting, in one line, when it cannot', () => {
    const large = join(folder, 'large');
    writeFileSync(large, Buffer.alloc(4 * 1024 * 1024 + 1));
    for (const [file, reason] of [
      [join(folder, 'absent.yaml'), 'ENOENT: no such file or directory'],
      [folder, 'EISDIR: illegal operation on a directory'],
      [large, 'the file is larger than 4 MiB'],
    ] as const) {
      expect(() => readSettingFile(file, '--upstream-config-file')).toThrow(
        new ConfigurationError([
          { path: '--upstream-config-file', kind: 'a file', reason: `cannot be read: ${reason}: ${file}` },
        ]),
      );
    }
  });
});

describe('an upstream below a path', () => {
  const entry = (host: string, more = '') => `- {namespace: docker.io, host: '${host}'${more}}`;

  it.each([
    ['harbor.example.com/project', 'harbor.example.com', 'project'],
    ['harbor.example.com:8443/a/b-c/d_e/', 'harbor.example.com:8443', 'a/b-c/d_e'],
    ['10.0.0.1:5000/key', '10.0.0.1:5000', 'key'],
    ['[fd00::1]:5000/key', '[fd00::1]:5000', 'key'],
  ])('may be given by a host with a path: %s', (given, host, pathPrefix) => {
    expect(readUpstreams(entry(given), undefined)).toMatchObject([{ host, pathPrefix }]);
    expect(readUpstreams(entry(host, `, path_prefix: ${pathPrefix}`), undefined)).toMatchObject([{ host, pathPrefix }]);
    const fallbacks = `, fallback_hosts: [{host: '${given}'}]`;
    expect(readUpstreams(entry('a.example', fallbacks), undefined)).toMatchObject([
      { host: 'a.example', fallbackHosts: [{ host, pathPrefix }] },
    ]);
  });

  it.each(['Project', '/project', 'a//b', 'a/', '../a', 'a b', '.', '-a', 'a'.repeat(256)])(
    'has a path of components of repository names: %s is none',
    (prefix) => {
      const lines = mistakes(entry('harbor.example.com', `, path_prefix: '${prefix}'`));
      expect(lines).toEqual([
        expect.stringMatching(/^upstreams\[0\]\.path_prefix: text: must be components of a repo/),
      ]);
    },
  );

  it('is reported when its host is no host, or when it has two paths', () => {
    for (const host of ['https://harbor.example.com', 'harbor.example.com/', '/project', 'user@harbor/project'])
      expect(mistakes(entry(host))).toEqual([
        expect.stringMatching(/^upstreams\[0\]\.host: text: must be a host name/),
      ]);
    const both = entry('harbor.example.com/a', ', path_prefix: b');
    expect(mistakes(both)).toEqual([expect.stringMatching(/^upstreams\[0\]\.host: text: must be a host name/)]);
    expect(mistakes(entry('harbor.example.com/Project'))).toEqual([
      expect.stringMatching(/^upstreams\[0\]\.path_prefix/),
    ]);
  });

  it('lets a host have several of them as fallbacks, and takes their credentials by host', () => {
    const hosts = ['harbor.example.com/a', 'harbor.example.com/b'].map((host) => `{host: ${host}}`);
    const secrets = '{"harbor.example.com":{"username":"u","password":"p"}}';
    const upstreams = readUpstreams(entry('a.example', `, fallback_hosts: [${hosts.join()}]`), secrets);
    expect(upstreams).toHaveLength(1);
    expect(upstreams[0]?.fallbackHosts.map(({ credentials }) => credentials?.username)).toEqual(['u', 'u']);
    const repeated = entry('a.example', `, fallback_hosts: [${hosts.join()}, {host: harbor.example.com/a}]`);
    expect(mistakes(repeated)).toHaveLength(1);
  });
});
