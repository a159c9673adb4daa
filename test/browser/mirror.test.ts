import { expect, it } from 'vitest';
import { makeBlob } from '../fixtures/blobs.js';
import { Gate } from '../e2e/support/gate.js';
import { heldBlob } from '../e2e/support/held-blob.js';
import { Stage } from '../e2e/support/stage.js';
import { until } from '../e2e/support/until.js';
import { openBrowser } from './support/browser.js';

it('shows in Chromium what a mirror has served', async () => {
  await using stage = await Stage.start();
  const blob = makeBlob(300_000, 'seen');
  stage.registry.addBlob('team/app', blob);
  for (let count = 0; count < 4; count += 1) {
    await stage.get(`team/app/blobs/${blob.digest}`);
    await stage.mirror.settled();
  }

  const browser = await openBrowser();
  try {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(`${stage.mirror.url}/`);
    const row = await page.locator('#registries tbody tr', { hasText: 'registry.test' }).allInnerTexts();
    expect(row[0]).toMatch(/registry\.test\s+up\s+–\s+75%\s+1\.1 MiB\s+879 KiB/);
    await page.getByRole('link', { name: 'Set up clients' }).click();
    await page.locator('summary', { hasText: 'containerd' }).click();
    const address = stage.mirror.url.replace('http://', '');
    expect(await page.locator('details[open] pre').first().innerText()).toContain(`[host."http://${address}"]`);
    expect(complaints).toEqual([]);
  } finally {
    await browser.close();
  }
});

it.each([true, false])('shows a download as it goes on (with JavaScript: %s)', async (javaScriptEnabled) => {
  await using stage = await Stage.start();
  using gate = new Gate();
  const blob = makeBlob(1_000_000, 'running');
  stage.registry.behaviour.before = heldBlob(blob, 500_000, gate);
  const browser = await openBrowser();
  try {
    const page = await (await browser.newContext({ javaScriptEnabled })).newPage();
    await page.goto(`${stage.mirror.url}/`);
    const row = page.locator('#transfers').getByText('registry.test/team/app');
    const gone = page.locator('#transfers').getByText('No downloads in progress.');
    await gone.waitFor();
    const pull = stage.get(`team/app/blobs/${blob.digest}`);
    await until('it runs', () => stage.registry.requests.some(({ kind }) => kind === 'blob'));
    if (!javaScriptEnabled) await page.getByRole('link', { name: 'Refresh' }).click();
    await row.waitFor();
    expect(await page.locator('#transfers progress').getAttribute('value')).toMatch(/^[45]\d{5}$/);
    gate.open();
    expect((await pull).status).toBe(200);
    if (!javaScriptEnabled) await page.getByRole('link', { name: 'Refresh' }).click();
    await gone.waitFor();
  } finally {
    await browser.close();
  }
});
