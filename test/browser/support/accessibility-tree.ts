import type { Page } from 'playwright-core';

/** What a screen reader is told of one thing. */
export interface Node {
  readonly role: string;
  readonly name: string;
  readonly description: string;
}

/** Everything on the page that is not ignored, in order. */
export async function accessibilityTree(page: Page): Promise<Node[]> {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  await session.detach();
  return nodes
    .filter(({ ignored }) => !ignored)
    .map(({ role, name, description }) => ({
      role: String(role?.value ?? ''),
      name: String(name?.value ?? ''),
      description: String(description?.value ?? ''),
    }));
}
