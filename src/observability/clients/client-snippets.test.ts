import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { clientSnippets, type ClientSnippet } from './client-snippets.js';
import { mirrorAddress } from './mirror-address.js';

const namespaces = ['docker.io', 'ghcr.io', 'registry.example.com:5000'];
const plain = clientSnippets(mirrorAddress('mirror.example.com:8080', false, namespaces)!);
const secure = clientSnippets(mirrorAddress('mirror.example.com', true, namespaces)!);
const every = [...plain, ...secure];

const of = (snippets: readonly ClientSnippet[], client: string): string[] =>
  snippets.filter((snippet) => snippet.client === client).map(({ text }) => text);

/** Enough of TOML for what these files may contain: tables, strings, booleans and lists of strings, nothing twice. */
function tomlKeys(text: string): string[] {
  const key = String.raw`(?:[a-z_]+|"[^"\\]+")`;
  const value = String.raw`(?:"[^"\\]*"|true|false|\[(?:"[^"\\]*"(?:, )?)*\])`;
  let table = '';
  let tables = 0;
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, array = '', name] = new RegExp(`^(\\[)?\\[(${key}(?:\\.${key})*)\\]\\]?$`).exec(line) ?? [];
      if (name !== undefined) table = array === '' ? name : `${name}#${(tables += 1)}`;
      else if (!new RegExp(`^ *${key} = ${value}$`).test(line)) throw new Error(`not TOML: ${line}`);
      return name === undefined ? `${table} ${line.split('=', 1)[0]!.trim()}` : table;
    });
}

describe('the configuration of clients', () => {
  it('has every client, in the order of a menu', () => {
    const clients = [...new Set(plain.map(({ client }) => client))];
    const expected = 'docker containerd k3s podman cri-o buildkit kind talos helm oras crane regctl';
    expect(clients).toEqual(expected.split(' '));
  });

  it.each(every.filter(({ language }) => language === 'json'))('is JSON for $title', ({ text }) => {
    expect(JSON.parse(text)).toBeTypeOf('object');
  });

  it.each(every.filter(({ language }) => language === 'yaml'))('is YAML for $title', ({ text }) => {
    expect(load(text)).toBeTypeOf('object');
  });

  it.each(every.filter(({ language }) => language === 'toml'))('is TOML for $title', ({ text }) => {
    const keys = tomlKeys(text);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('ends every text with one newline and names the mirror in it', () => {
    for (const { text, title } of every.filter(({ title }) => title !== 'kind: the cluster')) {
      expect(text, title).toMatch(/[^\n]\n$/);
      expect(text, title).toContain('mirror.example.com');
    }
  });

  it('tells every client about plain http that would not try it by itself', () => {
    for (const client of ['podman', 'cri-o', 'buildkit', 'helm', 'oras', 'crane', 'regctl']) {
      const insecure = /insecure = true|http = true|--plain-http|--insecure|--tls disabled/;
      expect(of(plain, client).join(), client).toMatch(insecure);
      expect(of(secure, client).join(), client).not.toMatch(insecure);
    }
  });

  it('has an entry for each registry where there is no wildcard', () => {
    for (const client of ['podman', 'cri-o', 'buildkit', 'regctl']) {
      for (const namespace of namespaces) expect(of(plain, client).join(), client).toContain(namespace);
    }
  });

  it('never lets a client push to the mirror', () => {
    const hosts = plain.filter(({ file }) => file?.endsWith('hosts.toml') === true);
    expect(hosts.length).toBeGreaterThan(3);
    for (const { text } of hosts) expect(text).toContain('capabilities = ["pull", "resolve"]');
  });

  it('names the host of Docker Hub where containerd falls back to it', () => {
    const [, only = ''] = of(clientSnippets(mirrorAddress('m.example', true, ['docker.io'])!), 'containerd');
    expect(only).toContain('server = "https://registry-1.docker.io"');
  });

  it.each(['ghcr.io', 'registry.example.com:5000'])(
    'offers registry-mirrors to nobody if the default is %s',
    (name) => {
      const snippets = clientSnippets(mirrorAddress('mirror.example.com', true, [name, 'docker.io'], name)!);
      expect(snippets.filter(({ text }) => text.includes('registry-mirrors'))).toEqual([]);
      expect(of(snippets, 'docker')).toHaveLength(1);
    },
  );
});
