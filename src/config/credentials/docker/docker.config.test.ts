import { describe, expect, it } from 'vitest';
import { Random } from '../../../../test/e2e/support/random.js';
import { DockerConfig } from './docker.config.js';
import { canonicalHost, serverOf } from './registry.key.js';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const auth = (user: string) => ({ auth: base64(`${user}:secret of ${user}`) });
const parse = (document: unknown) => DockerConfig.parse(JSON.stringify(document));

/** The user of the entry for a repository. */
const userFor = (document: unknown, host: string, repository = '') =>
  parse(document).authsFor(canonicalHost(host)!).find(repository)?.read().username;

describe('the entry of a docker config', () => {
  it.each([
    ['registry.example.com', 'registry.example.com'],
    ['registry.example.com:5000', 'registry.example.com:5000'],
    ['registry.example.com:443', 'registry.example.com'],
    ['Registry.Example.com', 'registry.example.com'],
    ['https://registry.example.com', 'registry.example.com'],
    ['http://registry.example.com:5000', 'registry.example.com:5000'],
    ['https://registry.example.com/', 'registry.example.com'],
    ['https://registry.example.com/v1/', 'registry.example.com'],
    ['https://registry.example.com/v2', 'registry.example.com'],
    ['https://registry.example.com/some/page', 'registry.example.com'],
    ['registry.example.com/v1/', 'registry.example.com'],
    ['[::1]:5000', '[::1]:5000'],
    ['https://index.docker.io/v1/', 'registry-1.docker.io'],
    ['https://index.docker.io/v1/', 'docker.io'],
    ['index.docker.io/v1/', 'docker.io'],
    ['docker.io', 'registry-1.docker.io'],
    ['registry-1.docker.io', 'docker.io'],
    ['*.dkr.ecr.eu-west-1.amazonaws.com', '123456789012.dkr.ecr.eu-west-1.amazonaws.com'],
  ])('with the key %s is for %s', (key, host) => {
    expect(userFor({ auths: { [key]: auth('anna') } }, host, 'team/app')).toBe('anna');
  });

  it.each([
    ['registry.example.com', 'registry.example.com:5000'],
    ['registry.example.com:5000', 'registry.example.com'],
    ['example.com', 'registry.example.com'],
    ['registry.example.com.evil.test', 'registry.example.com'],
    ['https://evil.test/registry.example.com', 'registry.example.com'],
    ['*.example.com', 'a.b.example.com'],
    ['*', 'registry.example.com'],
    ['https://docker.io@evil.test/', 'docker.io'],
    ['', 'registry.example.com'],
    ['registry.example.com?x', 'registry.example.com'],
  ])('with the key %j is not for %s', (key, host) => {
    expect(userFor({ auths: { [key]: auth('anna') } }, host)).toBeUndefined();
  });

  const paths = {
    auths: {
      'host.test': auth('host'),
      'host.test/team': auth('team'),
      'host.test/team/app': auth('app'),
      'https://host.test/v2/other/': auth('other'),
      'host.test/empty': {},
    },
  };

  it.each([
    ['team/app', 'app'],
    ['team/app/part', 'app'],
    ['team/application', 'team'],
    ['team', 'team'],
    ['teams/app', 'host'],
    ['other/app', 'other'],
    ['empty/app', 'host'],
    ['app', 'host'],
    ['', 'host'],
  ])('for %s is the one with the longest path', (repository, user) => {
    expect(userFor(paths, 'host.test', repository)).toBe(user);
  });

  it('with a path is for nothing else', () => {
    expect(userFor({ auths: { 'host.test/team': auth('team') } }, 'host.test', 'other/app')).toBeUndefined();
  });

  it('is the exact one before a pattern, and a host before a URL', () => {
    const all = { '*.test': auth('pattern'), 'https://host.test/v1/': auth('url'), 'host.test': auth('host') };
    expect(userFor({ auths: all }, 'host.test')).toBe('host');
    expect(userFor({ auths: { ...all, 'host.test': {} } }, 'host.test')).toBe('url');
  });

  it('is found in a legacy .dockercfg', () => {
    expect(userFor({ 'https://index.docker.io/v1/': { ...auth('anna'), email: 'a@b.c' } }, 'docker.io')).toBe('anna');
  });

  it.each([
    [{}],
    [{ auths: {} }],
    [{ auths: { 'host.test': { email: 'a@b.c' } } }],
    [{ auths: null }],
    [{ HttpHeaders: { 'host.test': 'x' }, proxies: { default: { httpProxy: 'http://proxy.test' } } }],
  ])('is not in %j', (document) => {
    expect(userFor(document, 'host.test')).toBeUndefined();
  });
});

describe('what an entry gives', () => {
  const read = (entry: unknown) => {
    const found = parse({ auths: { 'host.test': entry } })
      .authsFor('host.test')
      .find('');
    const { username, password, kind } = found!.read();
    return { username, password: password.reveal(), kind };
  };

  it.each([
    ['auth', { auth: base64('anna:a:b') }, { username: 'anna', password: 'a:b', kind: 'password' }],
    ['filled auth', { auth: base64('anna:word\0\0') }, { username: 'anna', password: 'word', kind: 'password' }],
    [
      'auth without padding',
      { auth: base64('anna:word').replace(/=/g, '') },
      { username: 'anna', password: 'word', kind: 'password' },
    ],
    ['fields', { username: 'anna', password: 'word' }, { username: 'anna', password: 'word', kind: 'password' }],
    [
      'auth before fields',
      { ...auth('anna'), username: 'bert', password: 'x' },
      { username: 'anna', password: 'secret of anna', kind: 'password' },
    ],
    [
      'a robot of Harbor',
      { auth: base64('robot$team+app:$HOME') },
      { username: 'robot$team+app', password: '$HOME', kind: 'password' },
    ],
    ['letters', { auth: base64('ännä:wörd') }, { username: 'ännä', password: 'wörd', kind: 'password' }],
    [
      'an identity token',
      { auth: base64('00000000-0000-0000-0000-000000000000:'), identitytoken: 'token' },
      { username: '00000000-0000-0000-0000-000000000000', password: 'token', kind: 'identity-token' },
    ],
    [
      'an identity token alone',
      { identitytoken: 'token' },
      { username: '', password: 'token', kind: 'identity-token' },
    ],
  ])('is that of %s', (_, entry, expected) => {
    expect(read(entry)).toEqual(expected);
  });

  it.each([
    [{ auth: 'planted!secret' }, 'has an entry whose auth is not user:password in base64'],
    [{ auth: base64('planted-secret') }, 'has an entry whose auth is not user:password in base64'],
    [{ auth: base64(':planted-secret') }, 'has an entry whose auth is not user:password in base64'],
    [
      { auth: Buffer.from([0xff, 0x3a, 0xfe]).toString('base64') },
      'has an entry whose auth is not user:password in base64',
    ],
    [{ auth: 12345 }, 'has an entry whose auth is not text'],
    [{ username: 'planted-secret' }, 'has an entry without a password'],
    [{ password: 'planted-secret' }, 'has an entry without a user'],
    [{ auth: base64('anna:') }, 'has an entry without a password'],
    [{ auth: base64('anna:planted\nsecret') }, 'has an entry with control characters, or text that is not UTF-8'],
    [
      { username: 'anna', password: 'planted-\ufffd' },
      'has an entry with control characters, or text that is not UTF-8',
    ],
    [{ identitytoken: 'planted\r' }, 'has an entry with control characters, or text that is not UTF-8'],
    [{ username: 'an:na', password: 'planted' }, 'has an entry whose user has a colon, which ends a user'],
    ['planted-secret', 'has an entry that is not a map'],
    [
      { registrytoken: 'planted-secret' },
      'has only a registrytoken, which cannot be renewed: sign in with a password or an identity token',
    ],
  ])('of %j is an error without any of it', (entry, message) => {
    expect(() => read(entry)).toThrow(new Error(message));
  });
});

describe('a docker config', () => {
  it.each([
    ['', 'is empty'],
    ['  \n', 'is empty'],
    ['planted-secret', 'is not JSON'],
    ['{"auths":\n{"host.test": {"auth": planted-secret}}}', 'is not JSON'],
    ['["planted-secret"]', 'is not a JSON map'],
    ['"planted-secret"', 'is not a JSON map'],
    ['{"auths": ["planted-secret"]}', 'has auths that are not a map'],
    ['{"credHelpers": "planted-secret"}', 'has credHelpers that are not a map'],
  ])('that is %j is an error without any of it', (text, message) => {
    expect(() => DockerConfig.parse(text)).toThrow(new RegExp(`^${message}( \\(line 2\\))?$`));
  });

  it('may begin with a byte order mark', () => {
    const text = JSON.stringify({ auths: { 'host.test': auth('anna') } });
    expect(DockerConfig.parse(`\uFEFF${text}`).authsFor('host.test').find('')?.read().username).toBe('anna');
  });
});

describe('the helper of a docker config', () => {
  it.each([
    [{ credHelpers: { 'host.test': 'own' }, credsStore: 'all' }, 'host.test', 'own'],
    [{ credHelpers: { 'https://host.test/v1/': 'own' } }, 'host.test', 'own'],
    [{ credHelpers: { 'other.test': 'own' }, credsStore: 'all' }, 'host.test', 'all'],
    [{ credHelpers: { 'host.test': '' }, credsStore: 'all' }, 'host.test', undefined],
    [{ credHelpers: { 'host.test/team': 'own' } }, 'host.test', undefined],
    [{ credHelpers: { 'https://index.docker.io/v1/': 'own' } }, 'docker.io', 'own'],
    [{ credHelpers: { 'docker.io': 'own' } }, 'docker.io', 'own'],
    [{ credsStore: '' }, 'host.test', undefined],
    [{ auths: {} }, 'host.test', undefined],
  ])('in %j for %s is %s', (document, host, helper) => {
    expect(parse(document).helperFor(host)).toBe(helper);
  });

  it.each(['../evil', '/bin/sh', 'a/b', '-x', 'a b', 'a;b', '.', 'a\0b', 'x'.repeat(65), 7, ['a']])(
    'is never a path or a command: %j',
    (name) => {
      expect(() => parse({ credsStore: name }).helperFor('host.test')).toThrow(
        'has a credsStore entry that is not what follows docker-credential- in the name of a program',
      );
    },
  );

  it('is asked for the server that Docker asks for', () => {
    expect(serverOf('docker.io')).toBe('https://index.docker.io/v1/');
    expect(serverOf('host.test:5000')).toBe('host.test:5000');
  });
});

describe('any docker config', () => {
  const random = new Random(19);
  const text = () =>
    random.pick([
      '',
      'host.test',
      'https://host.test/v1/',
      'auths',
      'planted-secret',
      '*',
      '__proto__',
      '\u0000',
      'a/b',
    ]);
  const value = (depth: number): unknown => {
    const kind = depth > 3 ? random.below(3) : random.below(6);
    if (kind < 2) return random.pick([null, true, 7, base64('anna:planted-secret'), base64('planted-secret')]);
    if (kind === 2) return text();
    if (kind === 3) return [value(depth + 1)];
    const names = [text(), random.pick(['auths', 'credHelpers', 'credsStore', 'auth', 'username', 'identitytoken'])];
    return Object.fromEntries(names.map((name) => [name, value(depth + 1)]));
  };
  const read = (json: string): string => {
    try {
      const config = DockerConfig.parse(json);
      config.authsFor('host.test').find('a/b/c')?.read();
      config.helperFor('host.test');
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };

  it('gives credentials or an error without any of its content', () => {
    for (let run = 0; run < 3_000; run += 1) {
      const json = JSON.stringify(value(0));
      const broken = json.slice(0, random.below(json.length + 1));
      expect(`${read(json)} ${read(broken)}`, json).not.toMatch(/planted|TypeError|Cannot|undefined/);
    }
  });
});
