import type { Page } from 'playwright-core';

export interface Text {
  readonly text: string;
  readonly ratio: number;
}

/** The contrast of every visible text with what is behind it, by the formula of WCAG 2.2. */
export function contrasts(page: Page): Promise<Text[]> {
  return page.evaluate<Text[]>(script);
}

/** Runs in the browser. */
const script = `(() => {
  const colour = (text) => {
    const [r = 0, g = 0, b = 0, a = 1] = (text.match(/[\\d.]+/g) ?? []).map(Number);
    return [r, g, b, a];
  };
  const luminance = (channels) => {
    const [r, g, b] = channels.slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    if (element === null) return [255, 255, 255, 1];
    const own = colour(getComputedStyle(element).backgroundColor);
    return own[3] === 0 ? behind(element.parentElement) : own;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (text === '' || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const ink = luminance(colour(element instanceof SVGElement ? style.fill : style.color));
    const paper = luminance(behind(element));
    found.push({ text, ratio: (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05) });
  }
  return found;
})()`;
