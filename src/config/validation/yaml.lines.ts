import { EVENT_ID, getScalarValue, parseEvents } from 'js-yaml';

/** A list or a map that has begun and not ended. */
interface Open {
  readonly path: string;
  readonly isList: boolean;
  /** Entries of a list so far. */
  count: number;
  /** The key whose value comes next; undefined if a key does. */
  key: string | undefined;
}

/** Finds the lines of the entries and keys of a YAML document by their paths, such as `[2].host`. */
export class YamlLines {
  private readonly offsets = new Map<string, number>();
  private readonly breaks: number[] = [];

  /** @param text that has been parsed without a mistake. */
  constructor(text: string) {
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) this.breaks.push(at);
    const open: Open[] = [];
    for (const event of parseEvents(text, {})) {
      const parent = open.at(-1);
      if (event.type === EVENT_ID.POP) {
        open.pop();
        continue;
      }
      if (event.type === EVENT_ID.DOCUMENT) {
        if (this.offsets.size > 0) return;
        open.push({ path: '', isList: true, count: -1, key: undefined });
        continue;
      }
      const isScalar = event.type === EVENT_ID.SCALAR;
      const start = isScalar ? event.valueStart : event.type === EVENT_ID.ALIAS ? event.anchorStart : event.start;
      const path = parent === undefined ? '' : this.enter(parent, start, isScalar ? getScalarValue(text, event) : '');
      if (event.type === EVENT_ID.SEQUENCE || event.type === EVENT_ID.MAPPING)
        open.push({ path, isList: event.type === EVENT_ID.SEQUENCE, count: 0, key: undefined });
    }
  }

  /** The line of a path or, if nothing stands there, of what it would be in; from 1. */
  lineOf(path: string): number | undefined {
    for (let rest = path; rest !== ''; rest = rest.replace(/(?:\.[^.[\]]*|\[[^[\]]*\])$|.$/s, '')) {
      const offset = this.offsets.get(rest);
      if (offset !== undefined) return this.breaks.filter((at) => at < offset).length + 1;
    }
    return undefined;
  }

  /** Notes a node, a key or a value of its parent. @returns its path */
  private enter(parent: Open, start: number, text: string): string {
    // The document itself.
    if (parent.count === -1) return '';
    if (parent.isList) {
      const path = `${parent.path}[${parent.count}]`;
      parent.count += 1;
      this.offsets.set(path, start);
      return path;
    }
    if (parent.key === undefined) {
      parent.key = text;
      this.offsets.set(`${parent.path}.${text}`, start);
      return `${parent.path}.?`;
    }
    const path = `${parent.path}.${parent.key}`;
    parent.key = undefined;
    return path;
  }
}
