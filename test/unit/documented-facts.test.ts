import 'reflect-metadata';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runCheck, type CheckResult } from '../../src/config/check.js';
import { ClientSettings } from '../../src/config/client.settings.js';
import { ServerSettings } from '../../src/config/server.settings.js';
import { ttlOf } from '../../src/config/tag-rule.settings.js';
import { readNamespaces } from '../../src/config/upstream-file.js';
import { UpstreamSettings } from '../../src/config/upstream.settings.js';
import { settingsOf } from '../../src/config/validation/setting.decorator.js';
import { validateSettings } from '../../src/config/validation/validation.js';
import { pages, read, withoutFences } from './support/documents.js';

/** What is said in more than one place: each pattern's group is the figure there. */
const saidTwice: readonly (readonly [string, readonly (readonly [string, RegExp])[]])[] = [
  [
    'the memory at rest on Node 20',
    [
      ['docs/performance.md', /about (\d+) MiB on Node 20 and/],
      ['docs/decisions/0008-bundle.md', /takes (\d+) MiB at rest/],
    ],
  ],
  [
    'the memory of shared blocks',
    [
      ['docs/performance.md', /share (\d+) MiB of blocks/],
      ['docs/decisions/0004-shared-blocks.md', /blocks of a process take at most (\d+) MiB/],
    ],
  ],
  [
    'the size of a shared block',
    [
      ['docs/performance.md', /MiB of blocks of (\d+) KiB/],
      ['docs/decisions/0004-shared-blocks.md', /read in blocks of (\d+) KiB/],
    ],
  ],
  [
    'the memory of a sweep',
    [
      ['docs/performance.md', /sweep\*\* adds about (\d+) MiB/],
      ['docs/storage/README.md', /process grows by (\d+) MiB/],
    ],
  ],
  [
    'the renewal of a lease',
    [
      ['docs/scaling/replicas.md', /renewed every (\d+) s/],
      ['docs/decisions/0006-leases.md', /renews its lease every (\d+) s/],
    ],
  ],
  [
    'the lifetime of a lease',
    [
      ['docs/scaling/replicas.md', /valid for (\d+) s/],
      ['docs/decisions/0006-leases.md', /valid for (\d+) s/],
    ],
  ],
  [
    'the downloads of one blob for 1,000 clients',
    [
      ['docs/guarantees.md', /(\d+) GET for 1,000 clients/],
      ['docs/performance.md', /1,000 clients, [^|]+\| (\d+);/],
    ],
  ],
  [
    'the duration of npm test',
    [
      ['README.md', /Test it, in about (\d+) minutes/],
      ['CONTRIBUTING.md', /`npm test` takes about (\d+) minutes/],
    ],
  ],
  [
    'the first Node.js 20 that will do',
    [
      ['package.json', /"node": "\^(20\.\d+)\.0 /],
      ['README.md', /Node\.js (20\.\d+) or later/],
      ['CONTRIBUTING.md', /Node\.js (20\.\d+) or later/],
      ['docs/dependencies.md', /Node (20\.\d+) or later/],
    ],
  ],
  [
    'the first Node.js 22 that will do',
    [
      ['package.json', />=(22\.\d+)\.0"/],
      ['README.md', /from 22 on: (22\.\d+)/],
      ['CONTRIBUTING.md', /from 22 on: (22\.\d+)/],
    ],
  ],
  [
    "the chart's memory limit",
    [
      ['charts/oci-registry/values.yaml', /limits:\n +memory: (\w+)/],
      ['docs/kubernetes.md', /\*\*Memory\*\*: the limit is (\w+)/],
      ['charts/oci-registry/UPGRADING.md', /(\w+) is the default/],
    ],
  ],
  [
    "the chart's least memory limit",
    [
      ['docs/kubernetes.md', /refuses less than (\w+)/],
      ['charts/oci-registry/UPGRADING.md', /`resources\.limits\.memory` below `(\w+)`/],
      ['charts/oci-registry/values.yaml', /must be at least (\w+)/],
    ],
  ],
  [
    "the size of the chart's volume",
    [
      ['charts/oci-registry/values.yaml', /^ {4}size: (\w+)/m],
      ['docs/kubernetes.md', /`storage\.filesystem\.size` is (\w+)/],
    ],
  ],
  [
    "the part of the chart's volume for content",
    [
      ['charts/oci-registry/values.yaml', /maxSize: (\d+%)/],
      ['docs/kubernetes.md', /Content takes at most (\d+%)/],
    ],
  ],
];

describe('a figure', () => {
  it.each(saidTwice)('is the same wherever it stands: %s', async (_, places) => {
    const figures = await Promise.all(
      places.map(async ([file, pattern]) => `${file}: ${pattern.exec(await read(file))?.[1]}`),
    );
    const [first = ''] = figures.map((line) => line.replace(/^.*: /, ''));
    expect(first).not.toBe('undefined');
    expect(figures).toEqual(places.map(([file]) => `${file}: ${first}`));
  });

  it('is the one of docs/performance.md where a page tells the memory at rest', async () => {
    const known = /\*\*At rest\*\*.*?(?=\n- \*\*)/s.exec(await read('docs/performance.md'))?.[0] ?? '';
    // Decisions also tell what was before them.
    for (const page of (await pages()).filter((name) => !name.startsWith('docs/decisions/'))) {
      // The comparison's table is one run of its own.
      for (const paragraph of (await read(page))
        .replace(/<!-- comparison:.*?<!-- end of comparison -->/s, '')
        .split(/\n\n|\n(?=[-|] )/)) {
        if (!/\bat rest\b/.test(paragraph)) continue;
        for (const [figure] of paragraph.matchAll(/\d+ MiB/g)) expect(`${page}: ${known}`).toContain(figure);
      }
    }
  });

  it('is the default of its setting where a page tells it', async () => {
    const rows = (await read('docs/configuration.md')).matchAll(
      /^\| `(?:--)?([a-z0-9_-]+)[^|]*\|(?: +(?:`[A-Z0-9_]+`)? *\|)? +`([^`]+)` +\|/gm,
    );
    const defaults = new Map([...rows].map(([, name = '', value = '']) => [name, value]));
    let count = 0;
    for (const page of await pages()) {
      for (const [text, name = '', value] of (await read(page)).matchAll(
        /`(?:--)?([a-z][a-z0-9_-]+)`[^(\n`]{0,3}\(default `([^`]+)`/g,
      )) {
        count += 1;
        expect(`${page}: ${text} ${defaults.get(name)}`).toBe(`${page}: ${text} ${value}`);
      }
    }
    expect(count).toBeGreaterThan(5);
  });
});

/** Flags of other programs that our pages name. */
const foreign: ReadonlySet<string> = new Set([
  ...[
    'insecure',
    'plain-http',
    'hosts-dir',
    'format',
    'build-arg',
    'project',
    'charts',
    'scenario',
    'shrink',
    'seconds',
  ],
  ...['authfile', 'init'],
  ...['semi-space-growth-factor', 'heap-growing-percent', 'cascade', 'write', 'registry3', 'only', 'clear'],
]);
/** Flags of commands for a running mirror, which docs/configuration.md does not list. */
const commands: ReadonlySet<string> = new Set([
  ...['server', 'token', 'json', 'platform', 'file', 'repositories', 'dry-run', 'help'],
  ...['from', 'repository', 'tag', 'username', 'password', 'as', 'group'],
]);

describe('a page', () => {
  it('names no flag and no path that is not there', async () => {
    const known = new Set(
      [...(await read('docs/configuration.md')).matchAll(/^\| `--([a-z0-9-]+)/gm)].map(([, name = '']) => name),
    );
    const wrong: string[] = [];
    // Clients have flags of their own; the other two are about other programs.
    const others = /^docs\/(?:clients\/|comparison|migrating)/;
    for (const page of (await pages()).filter((name) => !others.test(name))) {
      for (const [, code = ''] of withoutFences(await read(page)).matchAll(/`([^`\n]+)`/g)) {
        const flags = [...code.matchAll(/(?:^| )--([a-z][a-z0-9-]+)/g)].map(([, flag = '']) => flag);
        wrong.push(
          ...flags
            .filter((flag) => !known.has(flag) && !foreign.has(flag) && !commands.has(flag))
            .map((flag) => `${page}: --${flag}`),
          ...(/^(?:src|test|scripts|contrib|charts)\/[^ <*]+$/.test(code) ? alternatives(code) : [])
            .filter((path) => !existsSync(path))
            .map((path) => `${page}: ${path}`),
        );
      }
    }
    expect(wrong).toEqual([]);
  });

  it("names the predecessor's settings only where it is about them", async () => {
    const about = ['CHANGELOG.md', 'docs/migrating.md', 'docs/configuration.md'];
    for (const page of [...(await pages()).filter((name) => !about.includes(name)), 'example.yaml'])
      expect(await read(page), page).not.toMatch(/(?:manifest|blob)_invalidation_time/);
  });
});

describe('what documents say of the program', () => {
  it('tells every alias of a key with its new name, and what each of them does', async () => {
    const page = await read('docs/migrating.md');
    const aliases = settingsOf(UpstreamSettings).flatMap(({ name, alias }) =>
      alias === undefined ? [] : [[alias, name]],
    );
    expect(aliases.length).toBe(2);
    for (const [alias, name] of aliases)
      expect(page).toMatch(new RegExp(`^\\| \`${alias}\` +\\| \`${name}\` +\\| \\S`, 'm'));
  });

  it('says that /readyz is 503 only for a storage that fails and during --drain-delay', async () => {
    let count = 0;
    for (const page of await pages()) {
      for (const paragraph of (await read(page)).split(/\n\n|\n(?=[-|] |\d+\. )/)) {
        if (!paragraph.includes('/readyz') || !paragraph.includes('503')) continue;
        count += 1;
        expect(`${page}: ${paragraph}`).toMatch(/drain-delay|drained|storage|bucket/);
      }
    }
    expect(count).toBeGreaterThan(2);
  });

  it('shows the address of the admin API that both sides have by default', async () => {
    const admin = settingsOf(ServerSettings).find(({ name }) => name === 'admin-listen')?.default;
    const client = settingsOf(ClientSettings).find(({ name }) => name === 'server')?.default;
    expect(client).toBe(`http://${admin}`);
    expect(await read('docs/admin.md')).toContain(`(\`ADMIN_URL\`, default \`${client}\`)`);
  });

  it('has the fields of the results of doctor', async () => {
    const page = await read('docs/doctor.md');
    const result: CheckResult = await runCheck({ name: '', run: () => Promise.resolve({ status: 'ok', detail: '' }) });
    const [, fields = ''] = /one object per line: (.*?) in milliseconds/s.exec(page) ?? [];
    const named = [...fields.matchAll(/`(\w+)`/g)].map(([, name]) => name);
    expect(named.filter((name) => !['ok', 'warn', 'fail'].includes(name ?? '')).sort()).toEqual(
      Object.keys(result).sort(),
    );
  });

  it('tells how Docker takes a path in registry-mirrors, version by version', async () => {
    const page = await read('docs/clients/docker.md');
    expect(page).toMatch(/Docker Engine 20\.10 refuses to start/);
    expect(page).toMatch(/Version 29 accepts a path, but no query, fragment or user/);
    for (const other of (await pages()).filter((name) => name !== 'docs/clients/docker.md'))
      expect(await read(other), other).not.toMatch(/registry-mirrors[^\n]*https?:\/\/[^"\s/]+\/[^"\s]/);
  });
});

/** `a/{b,c}.ts` as `a/b.ts` and `a/c.ts`. */
function alternatives(path: string): string[] {
  const [whole, list] = /\{([^}]*)\}/.exec(path) ?? [];
  if (whole === undefined || list === undefined) return [path];
  return list.split(',').flatMap((item) => alternatives(path.replace(whole, item)));
}

describe('example.yaml', () => {
  const { upstreams } = readNamespaces(readFileSync('example.yaml', 'utf8'), undefined);

  it('can be copied without freezing the tags that move', () => {
    for (const { namespace, tags, tagTtl } of upstreams) {
      for (const tag of ['latest', 'stable', 'edge', '1', 'v1', '3.12'])
        expect(ttlOf(tags, tag) ?? tagTtl, `${namespace} ${tag}`).toBeLessThanOrEqual(600_000);
    }
  });

  it('can be copied without removing content that is only seldom used', () => {
    for (const { unusedContentTtl } of upstreams) expect(unusedContentTtl).toBeUndefined();
  });
});

describe("the chart's schema", () => {
  interface Bounds {
    readonly type?: string;
    readonly minimum?: number;
    readonly maximum?: number;
  }
  const schema = JSON.parse(readFileSync('charts/oci-registry/values.schema.json', 'utf8')) as {
    readonly properties: { readonly config: { readonly properties: Readonly<Record<string, Bounds>> } };
    readonly $defs: Readonly<Record<string, { readonly properties?: Readonly<Record<string, Bounds>> }>>;
  };
  const upstream = Object.values(schema.$defs).find(({ properties }) => properties?.max_connections)?.properties ?? {};
  const isWrong = (type: new () => object, name: string, value: number) =>
    validateSettings(type, { [name]: String(value) }, (path) => path).problems.some(({ path }) => path === name);
  const check = (type: new () => object, name: string, { minimum = 0, maximum = 0 }: Bounds) => {
    const values = [minimum - 1, minimum, maximum, maximum + 1];
    return values.map((value) => isWrong(type, name, value));
  };

  it('has the bounds of the program for the keys of an upstream', () => {
    const numbers = Object.entries(upstream).filter(([, { type }]) => type === 'integer');
    expect(numbers.map(([name]) => name)).toEqual(['max_connections']);
    for (const [name, bounds] of numbers)
      expect([name, ...check(UpstreamSettings, name, bounds)]).toEqual([name, true, false, false, true]);
  });

  it('has the bounds of the program for the options', () => {
    const numbers = Object.entries(schema.properties.config.properties).filter(([, { type }]) => type === 'integer');
    expect(numbers.length).toBeGreaterThan(2);
    for (const [property, bounds] of numbers) {
      const { name = property } = settingsOf(ServerSettings).find((setting) => setting.property === property) ?? {};
      // 0 leaves out an option without a default.
      const minimum = bounds.minimum === 0 ? 1 : bounds.minimum;
      expect([name, ...check(ServerSettings, name, { ...bounds, ...(minimum !== undefined && { minimum }) })]).toEqual([
        ...[name, true, false, false, true],
      ]);
    }
  });
});

describe('the systemd unit', () => {
  it('allows the threads of as many workers as there may be, and of their supervisor', async () => {
    const [, workers] = /number of worker processes, 1 to (\d+)/.exec(await read('docs/configuration.md')) ?? [];
    const unit = await read('contrib/systemd/oci-registry.service');
    const [, tasks] = /^TasksMax=(\d+)$/m.exec(unit) ?? [];
    const [, threads] = /^Environment=UV_THREADPOOL_SIZE=(\d+)$/m.exec(unit) ?? [];
    // Node has seven threads besides those for files.
    expect(Number(tasks)).toBeGreaterThanOrEqual((Number(workers) + 1) * (7 + Number(threads)));
  });
});

describe('the Dockerfile', () => {
  it('pins its bases by digest', async () => {
    const bases = [...(await read('Dockerfile')).matchAll(/^ARG \w+_BASE=(.+)$/gm)].map(([, base]) => base);
    expect(bases).toHaveLength(2);
    for (const base of bases) expect(base).toMatch(/^[a-z0-9./-]+:[a-z0-9.-]+@sha256:[0-9a-f]{64}$/);
  });
});
