import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { generateKeyPairSync } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { load } from 'js-yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNamespaces } from '../../src/config/upstream-file.js';
import { makeCertificate } from '../fixtures/certificate.js';
import { read } from './support/documents.js';

const folder = 'docs/credentials';
const chart = 'charts/oci-registry';
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'documented-'));
});
afterAll(() => rm(root, { recursive: true }));

/** Files as the examples name them, with what belongs there. */
function contentOf(path: string): string {
  if (path.endsWith('json')) return '{}';
  if (!path.endsWith('.pem')) return 'secret\n';
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  return `${makeCertificate().cert}${key.export({ type: 'pkcs8', format: 'pem' }).toString()}`;
}

/** The text with its absolute paths below a folder of this test, where the files exist. */
async function withFiles(text: string): Promise<string> {
  const paths = new Set([...text.matchAll(/(?<=[\s:{,"]|^)\/(?:etc|run|var|vault)\/[\w./-]+/g)].map(([path]) => path));
  for (const path of paths) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), contentOf(path));
  }
  return [...paths]
    .sort((a, b) => b.length - a.length)
    .reduce((result, path) => result.replaceAll(new RegExp(`(?<![\\w/.-])${path}\\b`, 'g'), join(root, path)), text);
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Keys of values that the chart does not have; a map without named keys takes all. */
function* unknownKeys(values: unknown, known: unknown, path = ''): Generator<string> {
  if (!isMap(values) || !isMap(known) || Object.keys(known).length === 0) return;
  for (const [key, value] of Object.entries(values)) {
    if (!(key in known)) yield `${path}${key}`;
    else yield* unknownKeys(value, known[key], `${path}${key}.`);
  }
}

const examples = readdirSync(folder).flatMap((page) =>
  [...readFileSync(join(folder, page), 'utf8').matchAll(/^```yaml\n(.*?)\n```$/gms)].map(([, text = ''], index) => ({
    title: `${page}, ${index + 1}`,
    text,
  })),
);

describe('the examples of docs/credentials', () => {
  it('are there for each page', () => {
    expect(examples.length).toBeGreaterThan(readdirSync(folder).length);
  });

  it.each(examples)('are accepted: $title', async ({ text }) => {
    const document: unknown = load(text);
    const isPart = isMap(document) && 'credentials' in document;
    const entries = isPart ? [{ namespace: 'a.example', host: 'a.example', ...document }] : document;
    if (Array.isArray(entries)) {
      const { upstreams } = readNamespaces(await withFiles(JSON.stringify(entries)), undefined);
      expect(upstreams.length).toBeGreaterThan(0);
      expect(upstreams.every((upstream) => upstream.takesCredentials)).toBe(true);
      return;
    }
    expect([...unknownKeys(document, load(await read(`${chart}/values.yaml`)))]).toEqual([]);
    await acceptsUpstreams(document);
  });
});

describe("the examples of the chart's values", () => {
  it.each(readdirSync(`${chart}/ci`))('have registries that the program accepts: %s', async (file) => {
    await acceptsUpstreams(load(await read(`${chart}/ci/${file}`)));
  });

  it('are named where clouds are explained', async () => {
    const page = await read(`${folder}/kubernetes.md`);
    const files = (await readdir(`${chart}/ci`)).filter((file) => /identity|irsa/.test(file));
    expect(files).toHaveLength(4);
    for (const file of files) expect(page).toContain(`${chart}/ci/${file}`);
  });
});

async function acceptsUpstreams(values: unknown): Promise<void> {
  const upstreams = isMap(values) ? values.upstreams : undefined;
  if (!isMap(upstreams) || upstreams.config === undefined) return;
  readNamespaces(await withFiles(JSON.stringify(upstreams.config)), undefined);
}
