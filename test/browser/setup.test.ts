import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Mirror } from '../e2e/support/mirror.js';
import { accessibilityTree } from './support/accessibility-tree.js';
import { findings } from './support/axe.js';
import { openBrowser } from './support/browser.js';
import { contrasts } from './support/contrast.js';
import { brokenWords, tooWide } from './support/look.js';

describe('the set-up page in Chromium', () => {
  let browser: Browser;
  let mirror: Mirror;
  beforeAll(async () => {
    [browser, mirror] = await Promise.all([openBrowser(), Mirror.start()]);
  });
  afterAll(async () => {
    await browser.close();
    await mirror[Symbol.asyncDispose]();
  });

  const open = async (options: { width?: number; scheme?: 'light' | 'dark'; script?: boolean } = {}): Promise<Page> => {
    const { width = 1024, scheme = 'light', script = true } = options;
    const context = await browser.newContext({
      viewport: { width, height: 900 },
      colorScheme: scheme,
      javaScriptEnabled: script,
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    const page = await context.newPage();
    await page.goto(`${mirror.url}/_ui/setup`);
    return page;
  };
  const openAll = (page: Page) =>
    page.evaluate(
      "document.querySelectorAll('details').forEach((each) => { each.removeAttribute('name'); each.open = true; })",
    );

  it.each([
    [320, 'light'],
    [768, 'dark'],
    [1440, 'light'],
    [3840, 'dark'],
  ] as const)('has nothing that axe finds, no broken word and enough contrast at %d px (%s)', async (width, scheme) => {
    const page = await open({ width, scheme });
    await openAll(page);
    expect(await findings(page)).toEqual([]);
    expect(await tooWide(page)).toEqual([]);
    expect(await brokenWords(page)).toEqual([]);
    expect((await contrasts(page)).filter(({ ratio }) => ratio < 4.5)).toEqual([]);
    await page.context().close();
  });

  it('opens a client and copies its configuration with the keyboard alone', async () => {
    const page = await open();
    const focused = () => page.evaluate<string>('document.activeElement.textContent.trim()');
    for (let count = 0; count < 40 && (await focused()) !== 'Talos'; count += 1) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByText('kind: RegistryMirrorConfig').waitFor({ state: 'visible', timeout: 5000 });
    await page.keyboard.press('Tab');
    const [button] = (await accessibilityTree(page)).filter(
      ({ role, name }) => role === 'button' && /mirror/.test(name),
    );
    expect(button?.name).toBe('Copy mirror.yaml');
    await page.keyboard.press('Enter');
    await page.getByText('Copied').waitFor({ state: 'visible', timeout: 5000 });
    expect(await page.evaluate('navigator.clipboard.readText()')).toContain('kind: RegistryMirrorConfig');
    await page.context().close();
  });

  it('works without JavaScript, and has no button that would do nothing', async () => {
    const page = await open({ script: false });
    expect(await page.locator('main button').count()).toBe(0);
    await page.locator('summary', { hasText: 'containerd' }).click();
    await page.locator('details[open]').getByText('dial_timeout').first().waitFor({ state: 'visible', timeout: 5000 });
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'certs.d.tar', exact: true }).click();
    expect((await download).suggestedFilename()).toBe('certs.d.tar');
    await page.context().close();
  });
});
