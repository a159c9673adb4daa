import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { clientSnippets } from '../../src/observability/clients/client-snippets.js';
import { mirrorAddress } from '../../src/observability/clients/mirror-address.js';

const read = (file: string) => readFile(file, 'utf8');

/** The text without code, where a bracket is no link. */
const withoutCode = (text: string) => text.replace(/^( *)```.*?^\1```$/gms, '').replace(/`[^`\n]*`/g, '');

/** The anchor that a heading gets. */
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/`/g, '')
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replace(/ /g, '-');

async function pages(): Promise<string[]> {
  const inDocs = await readdir('docs', { recursive: true });
  const atRoot = await readdir('.');
  return [...atRoot, ...inDocs.map((file) => join('docs', file)), 'bench/README.md'].filter((file) =>
    file.endsWith('.md'),
  );
}

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

function withoutFences(text: string): string {
  return text.replace(/^( *)```.*?^\1```$/gms, '');
}
