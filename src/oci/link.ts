/** The target of the `rel="next"` link of a Link header (RFC 8288), as paginated tag lists send it. */
export function parseNextLink(header: string | undefined): string | undefined {
  const links = (header ?? '').slice(0, 8192).split(/,\s*(?=<)/);
  const next = links.find((link) => /;\s*rel\s*=\s*"?next"?\s*(?:;|$)/i.test(link));
  return next === undefined ? undefined : /^\s*<([^<>]*)>/.exec(next)?.[1];
}
