import { hash as bcrypt } from 'bcryptjs';
import { writeFile } from 'node:fs/promises';
import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Folder } from '../e2e/support/folder.js';
import { Mirror } from '../e2e/support/mirror.js';
import { basic } from '../e2e/support/pages.js';
import { findings } from './support/axe.js';
import { openBrowser } from './support/browser.js';
import { contrasts } from './support/contrast.js';
import { brokenWords, tooWide } from './support/look.js';

const mediaType = 'application/vnd.oci.image.index.v1+json';
const index = JSON.stringify({ schemaVersion: 2, mediaType, manifests: [] });
const rules = `
  - { repositories: ['local/**'], who: ['user:anna'], may: [pull] }
  - { repositories: ['**'], who: ['user:root'], may: [push, delete, admin] }`;

const paths = [
  'explain',
  'explain?ref=local/team/kept:v1',
  `explain?ref=registry.test/${'a-long-name/'.repeat(12)}app:1.0&as=user:anna`,
  'actions',
  'actions/delete?ref=local/team/kept:v1',
  'actions/evict?ref=registry.test/team/app:1.0',
  'actions/warm',
  'actions/warm?images=registry.test/team/app:1.0',
  'actions/sweep',
  'actions/gc',
];

let folder: Folder;
let mirror: Mirror;
let browser: Browser;
beforeAll(async () => {
  folder = await Folder.make();
  const hash = await bcrypt('secret', 4);
  await writeFile(folder.file('htpasswd'), `anna:${hash}\nroot:${hash}\n`);
  const access = `users_file: ${folder.file('htpasswd')}\nrules:${rules}`;
  mirror = await Mirror.start({ hosted: [{ namespace: 'local' }], access });
  const push = mirror.request.put('/v2/local/team/kept/manifests/v1').set('authorization', basic('root'));
  await push.type(mediaType).send(index).expect(201);
  browser = await openBrowser();
}, 60_000);
afterAll(async () => {
  await browser.close();
  await mirror[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

function contextOf(username: string, javaScriptEnabled: boolean): Promise<BrowserContext> {
  return browser.newContext({ httpCredentials: { username, password: 'secret' }, javaScriptEnabled });
}

describe.each([
  ['with JavaScript', true],
  ['without JavaScript', false],
])('%s', (_, isEnabled) => {
  it('an administrator deletes a tag, and a reader is refused', async () => {
    const push = mirror.request.put('/v2/local/team/app/manifests/v1').set('authorization', basic('root'));
    await push.type(mediaType).send(index).expect(201);
    const explained = `${mirror.url}/_ui/explain?ref=local/team/app:v1`;

    const reader = await (await contextOf('anna', isEnabled)).newPage();
    await reader.goto(explained);
    expect(await reader.getByRole('heading', { level: 1 }).innerText()).toBe('Why local/team/app:v1');
    expect(await reader.getByRole('link', { name: 'Delete' }).count()).toBe(0);
    const refused = await reader.goto(`${mirror.url}/_ui/actions/delete?ref=local/team/app:v1`);
    expect(refused?.status()).toBe(404);

    const complaints: string[] = [];
    const page = await (await contextOf('root', isEnabled)).newPage();
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(explained);
    await page.getByRole('link', { name: 'Delete' }).click();
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('Delete?');
    await page.getByRole('button', { name: 'Delete' }).click();
    expect(await page.getByRole('status').innerText()).toBe('It is deleted.');
    await page.getByRole('link', { name: 'What the next pull would do' }).click();
    expect(await page.locator('#now').innerText()).toContain('refused');
    expect(complaints).toEqual([]);
  });

  it('an administrator warms an image, and sees that it failed', async () => {
    const page = await (await contextOf('root', isEnabled)).newPage();
    await page.goto(`${mirror.url}/_ui/actions/warm`);
    await page.getByLabel('Images').fill('local/team/none:v1');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('button', { name: 'Warm now' }).click();
    await page.locator('#lines').waitFor();
    expect(await page.locator('tbody').innerText()).toMatch(/local\/team\/none:v1\s+failed\s+manifest unknown/);
  });
});

describe('the looks of each page', () => {
  it.each([
    [320, 'light'],
    [768, 'dark'],
    [1440, 'light'],
  ] as const)('are in order at %d px (%s)', async (width, colorScheme) => {
    const context = await browser.newContext({
      httpCredentials: { username: 'root', password: 'secret' },
      viewport: { width, height: 900 },
      colorScheme,
    });
    const page = await context.newPage();
    for (const path of paths) {
      await page.goto(`${mirror.url}/_ui/${path}`);
      expect([path, await findings(page)]).toEqual([path, []]);
      expect([path, await tooWide(page)]).toEqual([path, []]);
      expect([path, await brokenWords(page)]).toEqual([path, []]);
      const faint = (await contrasts(page)).filter(({ ratio }) => ratio < 4.5);
      expect([path, faint]).toEqual([path, []]);
    }
    await context.close();
  });
});
