import { existsSync, readFileSync } from 'node:fs';

/** The version in package.json, which lies two folders above this module in the source and in the bundle's chunks. */
export const version = readVersion();

function readVersion(): string {
  const file = ['../package.json', '../../package.json']
    .map((path) => new URL(path, import.meta.url))
    .find((url) => existsSync(url));
  if (!file) throw new Error('package.json is missing beside the program');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
