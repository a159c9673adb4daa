import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export const read = (file: string) => readFile(file, 'utf8');

/** The repository's pages, those of the chart left out. */
export async function pages(): Promise<string[]> {
  const inDocs = await readdir('docs', { recursive: true });
  const atRoot = await readdir('.');
  return [...atRoot, ...inDocs.map((file) => join('docs', file)), 'bench/README.md'].filter((file) =>
    file.endsWith('.md'),
  );
}

/** The text without blocks of code. */
export function withoutFences(text: string): string {
  return text.replace(/^( *)```.*?^\1```$/gms, '');
}
