/** Path of a request target: without the query, and without the authority of an absolute form, which may hold a password. */
export function pathOf(url: string): string {
  return url.replace(/^[a-z]+:\/\/[^/?#]*/i, '').split('?', 1)[0] ?? '';
}
