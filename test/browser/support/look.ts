import type { Page } from 'playwright-core';

/** Words that are broken in a cell or a heading that has less room than their longest part: one letter a line, in the worst case. */
export function brokenWords(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(script);
}

/** What has the whole page scroll sideways. */
export async function tooWide(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(`(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    const wide = [...document.body.querySelectorAll('*')].filter((each) => each.getBoundingClientRect().right > clientWidth);
    return ['the page', ...wide.map(({ outerHTML }) => outerHTML.slice(0, 100))];
  })()`);
}

/** Runs in the browser. A word of up to 14 letters fits on every screen; longer ones, as digests and names, may be broken. */
const script = `(() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const broken = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.parentElement.checkVisibility()) continue;
    for (const { 0: word, index } of node.textContent.matchAll(/[\\p{L}\\p{N}]{2,14}/gu)) {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      const lines = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)));
      if (lines.size > 1 && !node.parentElement.closest('pre, code')) broken.push(word);
    }
  }
  return broken;
})()`;
