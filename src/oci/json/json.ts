import { ascii, hasOnlyStrings, isText, JsonCursor, JsonError } from './json.cursor.js';

export { JsonError, maxJsonDepth } from './json.cursor.js';

/**
 * Which parts of a document somebody wants: `value` is a string, number, boolean or null as it is, and of an object or
 * array its kind only; `fields` are those of an object, named in ASCII, `items` those of an array, the first `max` of them.
 */
export type JsonShape =
  | 'value'
  | { readonly fields: Readonly<Record<string, JsonShape>> }
  | { readonly items: JsonShape; readonly max: number };

/**
 * Checks a whole document and makes values of the wanted parts only: in time linear in the bytes, whatever they are,
 * with memory for what is wanted. `JSON.parse` takes a hundred times as long for some documents as for others of the
 * same size, and thirty times their size in memory.
 * @throws JsonError for what `JSON.parse` refuses, more than 64 levels, and a wanted field that is there twice: readers
 * of such a document differ in which one they take.
 */
export function readJson(bytes: Uint8Array, shape: JsonShape): unknown {
  return new JsonReader(bytes).read(shape);
}

/**
 * The bytes of an array of strings that is a field of the document.
 * @returns null where the field is null, undefined when it is anything else or absent.
 * @throws JsonError as `readJson`
 */
export function findStringArray(bytes: Uint8Array, field: string): Uint8Array | null | undefined {
  const part = new JsonReader(bytes).findField(field);
  if (part?.[0] === ascii.n) return null;
  return part?.[0] === ascii.openArray && hasOnlyStrings(part) ? part : undefined;
}

/** The bytes of an object that is a field of the document; undefined when it is anything else. @throws JsonError */
export function findObject(bytes: Uint8Array, field: string): Uint8Array | undefined {
  const part = new JsonReader(bytes).findField(field);
  return part?.[0] === ascii.openObject ? part : undefined;
}

/** Reads one document from its first byte to its last (RFC 8259). */
class JsonReader extends JsonCursor {
  read(shape: JsonShape): unknown {
    const value = this.readValue(shape);
    this.expectEnd();
    return value;
  }

  /** The bytes of a field's value. */
  findField(name: string): Uint8Array | undefined {
    let found: Uint8Array | undefined;
    if (this.peek() === ascii.openObject) {
      this.readEntries({ [name]: 'value' }, () => {
        this.peek();
        const start = this.position;
        this.skipValue();
        found = this.bytes.subarray(start, this.position);
      });
    } else this.skipValue();
    this.expectEnd();
    return found;
  }

  private readValue(shape: JsonShape): unknown {
    const first = this.peek();
    if (first === ascii.openObject) {
      if (shape !== 'value' && 'fields' in shape) return this.readFields(shape.fields);
      this.skipValue();
      return {};
    }
    if (first === ascii.openArray) {
      if (shape !== 'value' && 'items' in shape) return this.readItems(shape.items, shape.max);
      this.skipValue();
      return [];
    }
    const start = this.position;
    this.skipValue();
    return JSON.parse(Buffer.from(this.bytes.subarray(start, this.position)).toString('utf8'));
  }

  private readFields(fields: Readonly<Record<string, JsonShape>>): Record<string, unknown> {
    const values: Record<string, unknown> = {};
    this.readEntries(fields, (name, shape) => {
      values[name] = this.readValue(shape);
    });
    return values;
  }

  private readEntries(
    fields: Readonly<Record<string, JsonShape>>,
    take: (name: string, shape: JsonShape) => void,
  ): void {
    const names = new FieldNames(Object.keys(fields));
    this.enter();
    for (let isOver = this.peek() === ascii.closeObject; !isOver; isOver = this.isLast(ascii.closeObject)) {
      this.peek();
      const start = this.position;
      const end = this.skipKey();
      const name = names.take(this.bytes, start + 1, end - 1);
      const shape = name === undefined ? undefined : fields[name];
      if (name === undefined || shape === undefined) this.skipValue();
      else take(name, shape);
    }
    this.leave();
  }

  private readItems(shape: JsonShape, max: number): unknown[] {
    const items: unknown[] = [];
    this.enter();
    if (this.peek() === ascii.closeArray) {
      this.leave();
      return items;
    }
    while (items.length < max) {
      items.push(this.readValue(shape));
      if (!this.isLast(ascii.closeArray)) continue;
      this.leave();
      return items;
    }
    this.skipItems();
    return items;
  }
}

/** Tells the wanted fields of one object from others, without making text of any. */
class FieldNames {
  private readonly seen = new Set<string>();

  constructor(private readonly names: readonly string[]) {}

  /** The name between two places of the bytes. @throws JsonError when it came before. */
  take(bytes: Uint8Array, start: number, end: number): string | undefined {
    const name = this.names.find((wanted) => isText(wanted, bytes, start, end));
    if (name === undefined) return undefined;
    if (this.seen.has(name)) throw new JsonError(`the document has the field ${name} twice`);
    this.seen.add(name);
    return name;
  }
}
