/** Lines of a page, as comments that a reader does not see, between which a program writes. */
export interface Markers {
  readonly begin: string;
  readonly end: string;
}

/** @throws Error when the markers are not there */
export function replaceBetween(page: string, markers: Markers, section: string): string {
  const { from, to } = find(page, markers);
  return `${page.slice(0, from)}\n\n${section.trim()}\n\n${page.slice(to)}`;
}

/** What stands between the markers. @throws Error when they are not there */
export function textBetween(page: string, markers: Markers): string {
  const { from, to } = find(page, markers);
  return page.slice(from, to).trim();
}

function find(page: string, { begin, end }: Markers): { readonly from: number; readonly to: number } {
  const [start, to] = [page.indexOf(begin), page.indexOf(end)];
  if (start < 0 || to < start) throw new Error(`the page has not the markers ${begin} and ${end}`);
  return { from: start + begin.length, to };
}
