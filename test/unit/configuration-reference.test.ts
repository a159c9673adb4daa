import { readFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import { expect, it } from 'vitest';
import { configurationReference } from '../../scripts/configuration-reference.js';

it('docs/configuration.md says what the settings classes say (npm run docs)', async () => {
  const file = 'docs/configuration.md';
  const expected = await format(configurationReference(), { ...(await resolveConfig(file)), filepath: file });
  expect(await readFile(file, 'utf8')).toBe(expected);
});
