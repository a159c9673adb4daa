import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { clientSnippets } from '../../src/observability/clients/client-snippets.js';
import { mirrorAddress } from '../../src/observability/clients/mirror-address.js';
import { pages, read, withoutFences } from './support/documents.js';

/** The text without code, where a bracket is no link. */
const withoutCode = (text: string) => text.replace(/^( *)```.*?^\1```$/gms, '').replace(/`[^`\n]*`/g, '');

/** The anchor that a heading gets. */
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/`/g, '')
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replace(/ /g, '-');

describe('the documentation', () => {
  it('has no link to a file or a heading that is not there', async () => {
    const broken: string[] = [];
    let count = 0;
    for (const page of await pages()) {
      for (const [, target = ''] of withoutCode(await read(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        count += 1;
        const [path = '', fragment] = target.split('#', 2);
        const file = path === '' ? page : join(dirname(page), path);
        if (!existsSync(file)) broken.push(`${page}: ${target}`);
        else if (fragment !== undefined) {
          const headings = [...withoutFences(await read(file)).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) =>
            anchor(text),
          );
          if (!headings.includes(fragment)) broken.push(`${page}: ${target}`);
        }
      }
    }
    expect(broken).toEqual([]);
    expect(count).toBeGreaterThan(50);
  });

  it('is reached from its index, page by page', async () => {
    const inDocs = (await pages()).filter((page) => page.startsWith('docs/'));
    const seen = new Set<string>();
    const follow = async (page: string) => {
      if (seen.has(page)) return;
      seen.add(page);
      for (const [, target = ''] of withoutCode(await read(page)).matchAll(/\]\(([^)\s#]+\.md)[^)]*\)/g)) {
        const next = join(dirname(page), target);
        if (!/^[a-z]+:/.test(target) && next.startsWith('docs/') && existsSync(next)) await follow(next);
      }
    };
    await follow('docs/README.md');
    expect(inDocs.filter((page) => !seen.has(page))).toEqual([]);
  });

  const namespaces = ['docker.io', 'ghcr.io'];
  const addresses = [
    mirrorAddress('mirror.example.com:8080', false, namespaces)!,
    mirrorAddress('mirror.example.com', true, namespaces)!,
  ];

  it.each(addresses.flatMap(clientSnippets))('shows the generated configuration: $title', async (snippet) => {
    const page = await read(`docs/clients/${snippet.client}.md`);
    const block = (language: string, text: string) => `\n\`\`\`${language}\n${text.trimEnd()}\n\`\`\`\n`;
    expect(page).toContain(block(snippet.language, snippet.text));
    expect(page).toContain(block('sh', snippet.check));
    if (snippet.file !== undefined) expect(page).toContain(`\n\`${snippet.file}\`:\n`);
  });

  it('shows no other configuration for the mirror of the examples', async () => {
    const texts = addresses.flatMap(clientSnippets).flatMap(({ text, check }) => [text.trimEnd(), check]);
    for (const file of await readdir('docs/clients')) {
      const blocks = (await read(`docs/clients/${file}`)).matchAll(/^```(?:json|toml|yaml|sh)\n(.*?)\n```$/gms);
      for (const [, text = ''] of blocks) {
        if (text.includes('mirror.example.com')) expect(texts, file).toContain(text);
      }
    }
  });
});

describe('the README', () => {
  it('says what the program is, and why, in its first ten lines', async () => {
    const lines = (await read('README.md')).split('\n');
    expect(lines[0]).toBe('# oci-registry');
    expect(lines.findIndex((line) => line.startsWith('## '))).toBeLessThanOrEqual(10);
  });

  it('stays short: two commands, two pictures, five links', async () => {
    const text = await read('README.md');
    expect(text.split('\n').length).toBeLessThanOrEqual(90);
    const commands = [...text.matchAll(/^```sh\n(.*?)\n```$/gms)].map(([, command]) => command);
    expect(commands).toEqual(['npm ci && npm start', 'npm ci && npm test']);
    expect([...withoutCode(text).matchAll(/!\[[^\]]+\]\(/g)]).toHaveLength(2);
    expect([...withoutCode(text).matchAll(/(?<!!)\[[^\]]+\]\(/g)]).toHaveLength(5);
  });
});

describe('the changelog', () => {
  it('has the version of the package, and a section for what comes next', async () => {
    const { version } = JSON.parse(await read('package.json')) as { version: string };
    const headings = [...(await read('CHANGELOG.md')).matchAll(/^## \[(.+?)\](?: - \d{4}-\d\d-\d\d)?$/gm)];
    expect(headings.map(([, name]) => name)).toEqual(expect.arrayContaining(['Unreleased', version]));
    expect(headings[0]?.[1]).toBe('Unreleased');
  });
});
