import { hash as bcrypt } from 'bcryptjs';
import { writeFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { app, descriptor, digestOf, HostedRegistry, image } from '../e2e/hosted/support/registry.js';
import { Folder } from '../e2e/support/folder.js';
import { workflowCertificate, workflowIdentity } from '../fixtures/fulcio-certificate.js';
import { findings } from './support/axe.js';
import { openBrowser } from './support/browser.js';
import { contrasts } from './support/contrast.js';
import { brokenWords, tooWide } from './support/look.js';

const configType = 'application/vnd.oci.image.config.v1+json';

interface OpenOptions {
  readonly javaScriptEnabled?: boolean;
  readonly width?: number;
  readonly scheme?: 'light' | 'dark';
}

describe('browsing in Chromium', () => {
  let browser: Browser;
  let folder: Folder;
  let registry: HostedRegistry;
  const closing: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    folder = await Folder.make();
    await writeFile(folder.file('htpasswd'), `anna:${await bcrypt('secret', 4)}\n`);
    registry = await HostedRegistry.start(
      {},
      {
        access: `
users_file: ${folder.file('htpasswd')}
rules:
  - { repositories: ['local/team/**'], who: [anonymous], may: [pull] }
  - { repositories: ['local/**'], who: ['user:anna'], may: [push] }
`,
      },
    );
    await fill();
    browser = await openBrowser();
  });
  afterEach(async () => {
    while (closing.length > 0) await closing.pop()!();
  });
  afterAll(async () => {
    await browser.close();
    await registry[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  async function fill(): Promise<void> {
    const config = {
      os: 'linux',
      architecture: 'arm64',
      config: { Labels: { note: '<img src=x onerror=alert(1)>' }, Env: ['LONG='.padEnd(900, 'x')] },
      history: [{ created_by: '<script>alert(1)</script>' }],
    };
    const bytes = Buffer.from(JSON.stringify(config));
    await registry.pushBlob(bytes);
    await registry.pushBlob('layer');
    const body = image(['layer'], { config: descriptor(bytes, configType) });
    await registry.put('v1', body);
    const signature = {
      ...descriptor('layer', 'application/vnd.dev.cosign.simplesigning.v1+json'),
      annotations: {
        'dev.cosignproject.cosign/signature': 'x',
        'dev.sigstore.cosign/certificate': workflowCertificate,
      },
    };
    const { algorithm, hex } = digestOf(body);
    await registry.put(
      `${algorithm}-${hex}.sig`,
      image([], { config: descriptor(bytes, configType), layers: [signature] }),
    );
    for (let at = 0; at < 60; at += 1) await registry.put(`build-${at}`, body);
  }

  async function open(path: string, options: OpenOptions = {}) {
    const { javaScriptEnabled = true, width = 1024, scheme = 'light' } = options;
    const context = await browser.newContext({
      javaScriptEnabled,
      viewport: { width, height: 900 },
      colorScheme: scheme,
    });
    closing.push(() => context.close());
    // Loopback is no secure context in every build, and the clipboard is for those alone.
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: registry.mirror.url });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('dialog', (dialog) => complaints.push(dialog.message()));
    await page.goto(`${registry.mirror.url}${path}`);
    return { page, complaints };
  }

  /** Finds an image from the first page on, by links and forms alone. */
  async function findImage(page: Page): Promise<void> {
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Repositories' }).click();
    await page.getByRole('searchbox', { name: 'Name contains' }).fill('team');
    await page.getByRole('search', { name: 'Repositories' }).getByRole('button').click();
    await page.getByRole('link', { name: app.toString() }).click();
    await page.getByRole('searchbox', { name: 'Tag contains' }).fill('v1');
    await page.getByRole('button', { name: 'Find tags' }).click();
    await page.getByRole('link', { name: 'v1', exact: true }).click();
    await page.getByRole('heading', { level: 1, name: `${app.toString()}:v1` }).waitFor();
  }

  it.each([true, false])('finds an image, and who signed it (JavaScript: %s)', async (javaScriptEnabled) => {
    const { page, complaints } = await open('/', { javaScriptEnabled });
    await findImage(page);
    await page.getByText(workflowIdentity).waitFor();
    await page.getByText('nothing is verified here').waitFor();
    expect(complaints).toEqual([]);
  });

  it('copies the pull command', async () => {
    const { page, complaints } = await open(`/_ui/image?name=${app.toString()}&reference=v1`);
    await page.getByRole('button', { name: 'Copy the command of Docker' }).click();
    await page.getByText('Copied').waitFor();
    const copied = await page.evaluate('navigator.clipboard.readText()');
    expect(copied).toBe(`docker pull ${new URL(registry.mirror.url).host}/${app.toString()}:v1`);
    expect(complaints).toEqual([]);
  });

  it('searches while somebody types, without loading the page again', async () => {
    const { page, complaints } = await open(`/_ui/repository?name=${app.toString()}`);
    await page.evaluate("document.body.dataset.same = 'yes'");
    await page.getByRole('searchbox', { name: 'Tag contains' }).pressSequentially('build-59');
    await page.getByRole('link', { name: 'build-58' }).waitFor({ state: 'detached' });
    await page.getByRole('link', { name: 'build-59' }).waitFor();
    expect(await page.evaluate('document.body.dataset.same')).toBe('yes');
    expect(page.url()).toContain('q=build-59');
    expect(complaints).toEqual([]);
  });

  it('goes through the pages of tags, and sorts them by their last use', async () => {
    const { page } = await open(`/_ui/repository?name=${app.toString()}`, { javaScriptEnabled: false });
    await page.getByRole('link', { name: 'Next page' }).click();
    await page.getByRole('link', { name: 'v1', exact: true }).waitFor();
    await page.getByRole('link', { name: 'Last pull or push' }).click();
    const heading = page.getByRole('columnheader', { name: 'Last pull or push' });
    expect(await heading.getAttribute('aria-sort')).toBe('descending');
  });

  it.each([
    [320, 'light'],
    [768, 'dark'],
    [1440, 'light'],
    [1440, 'dark'],
  ] as const)(
    'has what images say of themselves as text, and nothing that axe finds, at %d px (%s)',
    async (width, scheme) => {
      const { page, complaints } = await open(`/_ui/image?name=${app.toString()}&reference=v1`, { width, scheme });
      const look = async () => {
        await page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })");
        expect(await findings(page)).toEqual([]);
        expect(await tooWide(page)).toEqual([]);
        expect((await contrasts(page)).filter(({ ratio }) => ratio < 4.5)).toEqual([]);
      };
      await page.getByText('<script>alert(1)</script>').waitFor();
      await page.getByText('<img src=x onerror=alert(1)>').waitFor();
      await look();
      for (const path of [`/_ui/repository?name=${app.toString()}`, '/_ui/repositories']) {
        await page.goto(`${registry.mirror.url}${path}`);
        await look();
        expect(await brokenWords(page)).toEqual([]);
      }
      expect(complaints).toEqual([]);
    },
  );

  it('shows the raw manifest as plain text', async () => {
    const { page } = await open(`/_ui/image?name=${app.toString()}&reference=v1`);
    await page.getByRole('link', { name: 'Raw manifest' }).click();
    expect(await page.evaluate('document.contentType')).toBe('text/plain');
  });

  it('refuses a reader what is not for him', async () => {
    const { page } = await open('/_ui/repository?name=local/secret/app');
    await page.getByRole('heading', { level: 1, name: 'Not found' }).waitFor();
  });
});
