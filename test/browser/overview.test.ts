import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { StatusView } from '../../src/observability/status/status.view.js';
import { busyView, emptyView, hostileView } from '../fixtures/status-view.js';
import { accessibilityTree } from './support/accessibility-tree.js';
import { findings } from './support/axe.js';
import { openBrowser } from './support/browser.js';
import { contrasts } from './support/contrast.js';
import { brokenWords, tooWide } from './support/look.js';
import { servePage } from './support/page-server.js';

type Scheme = 'light' | 'dark';

/** Runs in the browser: how the focus is shown, `none` when the page itself has it. */
const outlineOfFocus = `(() => {
  if (document.activeElement === document.body) return 'none';
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
  return outlineStyle + ' ' + outlineWidth;
})()`;

describe('the overview in Chromium', () => {
  let browser: Browser;
  const closing: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterEach(async () => {
    while (closing.length > 0) await closing.pop()!();
  });
  afterAll(() => browser.close());

  /** What the browser complained about, and what it asked for besides the page. */
  const open = async (
    view: StatusView,
    { width = 1024, scheme = 'light' }: { width?: number; scheme?: Scheme } = {},
  ) => {
    const server = await servePage(view);
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: scheme });
    closing.push(server.close, () => page.close());
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('dialog', (dialog) => complaints.push(dialog.message()));
    page.on('request', (request) => {
      if (request.url() !== server.url && !/^[^?]+\/_ui\/(?:assets\/|live$)/.test(request.url()))
        complaints.push(request.url());
    });
    await page.goto(server.url);
    return { page, complaints };
  };
  const openDetails = (page: Page) =>
    page.evaluate(
      "document.querySelectorAll('details').forEach((each) => { each.removeAttribute('name'); each.open = true; })",
    );

  const schemes: Scheme[] = ['light', 'dark'];

  it.each(schemes)('is quiet, asks for nothing else, and is styled (%s)', async (scheme) => {
    const { page, complaints } = await open(busyView, { scheme });
    await openDetails(page);
    expect(complaints).toEqual([]);
    const background = await page.evaluate('getComputedStyle(document.body).backgroundColor');
    expect(background).toBe(scheme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(16, 21, 28)');
  });

  it.each(schemes)('has text with a contrast of 4.5 at least (%s)', async (scheme) => {
    const { page } = await open(busyView, { scheme });
    await openDetails(page);
    const texts = await contrasts(page);
    expect(texts.length).toBeGreaterThan(120);
    expect(texts.filter(({ ratio }) => ratio < 4.5)).toEqual([]);
  });

  it.each(schemes)('has nothing that axe finds wrong (%s)', async (scheme) => {
    const { page } = await open(busyView, { scheme });
    await openDetails(page);
    expect(await findings(page)).toEqual([]);
  });

  it.each([
    [320, busyView],
    [320, emptyView],
    [400, busyView],
    [768, busyView],
    [1024, busyView],
    [1440, busyView],
    [3840, busyView],
  ])('never scrolls sideways and breaks no word at %d px', async (width, view) => {
    const { page } = await open(view, { width });
    await openDetails(page);
    expect(await tooWide(page)).toEqual([]);
    expect(await brokenWords(page)).toEqual([]);
    if (width < 1024) expect(await findings(page)).toEqual([]);
  });

  it('is used with the keyboard alone', async () => {
    const { page } = await open(busyView);
    const focused = () => page.evaluate<string>("document.activeElement.textContent.trim().replace(/\\s+/g, ' ')");
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Skip to content');
    expect(await page.evaluate('document.activeElement.getBoundingClientRect().left')).toBe(0);
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Refresh');

    const reached = new Set<string>();
    for (let count = 0; count < 30; count += 1) {
      const outline = await page.evaluate<string>(outlineOfFocus);
      if (outline !== 'none') expect(outline, await focused()).toBe('solid 3px');
      if ((await focused()) === 'Hourly figures' && !reached.has('Hourly figures')) {
        await page.keyboard.press('Enter');
        await page.getByText('Traffic by the hour').waitFor({ state: 'visible', timeout: 5000 });
      }
      reached.add(await focused());
      await page.keyboard.press('Tab');
    }
    expect([...reached]).toEqual(expect.arrayContaining(['Registries', 'Storage', 'Hourly figures']));
  });

  it('tells a screen reader what everything is', async () => {
    const { page } = await open(busyView);
    const tree = await accessibilityTree(page);
    const named = (role: string) => tree.filter((node) => node.role === role).map(({ name }) => name);
    expect(named('banner')).toHaveLength(1);
    expect(named('main')).toHaveLength(1);
    expect(named('contentinfo')).toHaveLength(1);
    expect(named('navigation')).toEqual(['Pages', 'Sections']);
    const titles = [
      'Last 24 hours',
      'Last 30 days',
      'Registries',
      'Downloads and uploads',
      'Recent errors',
      'Storage',
      'Repositories',
      'Processes',
    ];
    expect(named('heading')).toEqual(['Overview', ...titles]);
    expect(named('region')).toEqual(expect.arrayContaining(titles));
    expect(named('table').toSorted()).toEqual([
      'All processes on this storage, over restarts',
      'Configured registries, and all others together',
      'Downloads in progress',
      'Processes on this storage; each tells of itself every five minutes',
      'Public repositories, used last',
      'Requests that failed here, or were too many, newest first',
      'Uploads in progress',
    ]);
    expect(
      named('progressbar')
        .map((name) => name.split(':')[0])
        .sort(),
    ).toEqual([
      'Download of sha256',
      'Download of sha256',
      'Storage in use',
      'Upload to registry.example.com/team/app',
    ]);
    const [chart] = tree.filter(({ role }) => role === 'image');
    expect(chart?.name).toContain('In the last 24 hours clients received');
    const interactive = tree.filter(({ role }) => /link|button|progressbar|table|DisclosureTriangle/.test(role));
    expect(interactive.filter(({ name }) => name === '')).toEqual([]);
    expect(await page.title()).toBe('Overview – oci-registry');
    expect(await page.getAttribute('html', 'lang')).toBe('en');
  });

  it('is green only for what is up, and says what is wrong with the others, and since when', async () => {
    const [first] = busyView.registries;
    const idle = { ...first!, name: 'idle.example.com', state: { condition: 'not contacted' } as const };
    const { page } = await open({ ...busyView, registries: [...busyView.registries, idle] });
    const colours = await page.evaluate<string[]>(
      "[...document.querySelectorAll('#registries tbody tr td:nth-child(2)')]" +
        ".map((cell) => getComputedStyle(cell.querySelector('.state') ?? cell).color)",
    );
    expect(colours.map((colour) => colour === 'rgb(17, 99, 41)')).toEqual([true, false, false, false, false]);
    const states = await page.locator('#registries tbody tr td:nth-child(2)').allInnerTexts();
    expect(states).toEqual([
      'up',
      'credentials refused: ghcr.io responded with 401. Since Nov 24, 2026, 15:00 UTC.',
      'degraded: registry.example.com:5000 cannot be reached (ECONNREFUSED). Since Nov 24, 2026, 16:54 UTC.\n' +
        'Fallback standby.example.com: up',
      '–',
      'not contacted',
    ]);
  });

  it('hides the repository of a private download', async () => {
    const { page } = await open(busyView);
    expect(await page.locator('#downloads tbody tr').nth(1).locator('td').first().textContent()).toBe(
      'private repository',
    );
  });

  it.each([
    '<img src=x onerror="alert(1)">',
    '"><script>alert(1)</script>',
    "' onmouseover='alert(1)",
    '</style><script>alert(1)</script>',
    '<!--',
    '&lt;b&gt;',
    '${alert(1)}',
  ])('shows %s as text', async (text) => {
    const { page, complaints } = await open(hostileView(text));
    const count = (of: Page) => of.evaluate<number>("document.querySelectorAll('*:not(wbr)').length");
    expect(await page.locator('#registries tbody th').textContent()).toBe(text);
    expect(await page.locator('#repositories tbody th').textContent()).toBe(text);
    expect(await page.locator('#downloads tbody td').first().textContent()).toBe(text);
    const { page: harmless } = await open(hostileView('x'));
    expect(await count(page)).toBe(await count(harmless));
    expect(complaints).toEqual([]);
  });
});
