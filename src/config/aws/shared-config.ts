export type Section = Readonly<Record<string, string>>;

/**
 * Parses a shared configuration or credentials file of the AWS tools. A nested key is joined to that above it:
 * `s3.endpoint_url`.
 * @returns sections by their headers, such as `default`, `profile NAME` and `services NAME`. Lines that are neither a
 * header nor a key are left out, as the AWS tools do.
 */
export function parseSharedConfig(text: string): ReadonlyMap<string, Section> {
  const sections = new Map<string, Record<string, string>>();
  let section: Record<string, string> | undefined;
  let parent = '';
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.replace(/(^|\s)[#;].*$/, '').trimEnd();
    const header = /^\[\s*(.*?)\s*\]$/.exec(line)?.[1];
    if (header !== undefined) {
      const name = header.replaceAll(/\s+/g, ' ');
      section = sections.get(name) ?? {};
      sections.set(name, section);
      parent = '';
      continue;
    }
    const [, key = '', value = ''] = /^\s*([^=\s]+)\s*=\s*(.*)$/.exec(line) ?? [];
    if (!section || key === '') continue;
    const isNested = /^\s/.test(line);
    if (!isNested) parent = value === '' ? `${key}.` : '';
    section[isNested ? parent + key : key] = value;
  }
  return sections;
}
