import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lineOf } from '../configuration-error.js';
import { ServerSettings } from '../server.settings.js';
import { readNamespaces } from '../upstream-file.js';
import { areEqual, changesBetween, meanSame } from './changes.js';
import { readAgain } from './followed.files.js';
import { areSame, marksOf } from './setting.files.js';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'oci-registry-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const settings = (values: Partial<ServerSettings>) => Object.assign(new ServerSettings(), values);
const upstreamOf = (yaml: string) => readNamespaces(yaml, undefined).upstreams[0]!;

describe('reading files again', () => {
  it('does not wait for a pipe', () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const { settings: read, problems } = readAgain(settings({ upstreamConfigFile: pipe }));
    expect(read).toBeUndefined();
    expect(problems.map(lineOf)).toEqual([
      '--upstream-config-file: a file: is not a regular file and can be read at the start only',
    ]);
  });

  it('has every file that is named in its marks, those that are missing too', async () => {
    const [yaml, password, ca] = ['upstreams.yaml', 'password', 'ca.pem'].map((name) => join(folder, name));
    const entry = `{ namespace: a.b, host: a.b, username: u, password_file: '${password!}', ca_file: '${ca!}' }`;
    writeFileSync(yaml!, `[${entry}]`);
    const { problems, marks } = readAgain(settings({ upstreamConfigFile: yaml! }));
    expect(problems).toHaveLength(2);
    expect([...marks.keys()].sort()).toEqual([ca, password, yaml].sort());
    expect(areSame(await marksOf(marks.keys()), marks)).toBe(true);
    writeFileSync(password!, 'planted');
    expect(areSame(await marksOf(marks.keys()), marks)).toBe(false);
  });
});

describe('what has changed', () => {
  const before = '- { namespace: a.b, host: a.b, username: u, password: planted-one, tag_ttl: 1m }';

  it('has the names of keys, and no value', () => {
    const after = before.replace('planted-one', 'planted-two').replace('1m', '2m');
    const [one, two] = [before, after].map((yaml) => readNamespaces(yaml, undefined));
    expect(changesBetween(one!, two!)).toEqual(['a.b changed (password, tag_ttl)']);
    expect(changesBetween(one!, readNamespaces(before, undefined))).toEqual([]);
    expect(changesBetween(one!, readNamespaces('- { namespace: A.B, hosted: true }', undefined))).toEqual([
      'a.b removed',
      'hosted a.b added',
    ]);
  });

  it('is about what credentials sources, rules of tags and fallback hosts say, too', () => {
    const entry = (more: string) => upstreamOf(`- { namespace: a.b, host: a.b, ${more} }`);
    for (const [one, two] of [
      [
        'credentials: { static: { username: u, password: one } }',
        'credentials: { static: { username: u, password: two } }',
      ],
      ['tags: [{ pattern: v*, ttl: immutable }]', 'tags: [{ pattern: v*, ttl: always }]'],
      [
        'fallback_hosts: [{ host: c.d, username: u, password: one }]',
        'fallback_hosts: [{ host: c.d, username: u, password: two }]',
      ],
    ] as const) {
      expect(areEqual(entry(one), entry(one))).toBe(true);
      expect(areEqual(entry(one), entry(two)), one).toBe(false);
      expect(meanSame(entry(one), entry(two)), one).toBe(false);
    }
  });

  it('of a password file does not make an upstream another one', () => {
    const file = join(folder, 'secret');
    const read = (password: string) => {
      writeFileSync(file, password);
      return readNamespaces(`- { namespace: a.b, host: a.b, username: u, password_file: '${file}' }`, undefined);
    };
    const [one, two] = [read('planted-one'), read('planted-two')];
    expect(changesBetween(one, two)).toEqual(['a.b changed (password_file)']);
    expect(meanSame(one.upstreams[0]!, two.upstreams[0]!)).toBe(true);
  });
});
