/** Bounds of a document. Those of STS have some 20 elements in 4 levels. */
const maxElements = 100;
const maxDepth = 8;

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/**
 * The texts of a document's elements by their paths, such as `ErrorResponse/Error/Code`; of equal paths, the first counts.
 * Reads what STS sends: no document type, comments, sections or instructions but the XML declaration.
 * @returns undefined for anything else
 */
export function readXml(text: string): ReadonlyMap<string, string> | undefined {
  const found = new Map<string, string>();
  const open: string[] = [];
  let isComplete = false;
  let count = 0;
  const token = /<(\/?)([A-Za-z][\w.-]{0,63})((?:\s+[\w:.-]{1,64}="[^"<]{0,256}")*)\s*(\/?)>([^<]*)/y;
  const head = /^\s*(?:<\?xml [^?]{0,100}\?>\s*)?/.exec(text)?.[0] ?? '';
  token.lastIndex = head.length;
  for (let end = head.length; end < text.length; end = token.lastIndex) {
    const [, closing, name = '', , empty, content = ''] = token.exec(text) ?? [];
    if (name === '' || isComplete || (count += 1) > 2 * maxElements) return undefined;
    if (closing === '/') {
      if (open.pop() !== name || content.trim() !== '') return undefined;
    } else {
      open.push(name);
      const value = unescape(content);
      if (open.length > maxDepth || value === undefined) return undefined;
      const path = open.join('/');
      if (!found.has(path)) found.set(path, value);
      if (empty === '/') open.pop();
    }
    isComplete = open.length === 0;
  }
  return isComplete ? found : undefined;
}

const references = /&(#x[\da-fA-F]{1,4}|#\d{1,5}|lt|gt|amp|quot|apos);/g;

function unescape(text: string): string | undefined {
  if (text.replaceAll(references, '').includes('&')) return undefined;
  return text.trim().replaceAll(references, (_, name: string) => entities[name] ?? characterOf(name));
}

/** @param name `#65` or `#x41` */
function characterOf(name: string): string {
  return String.fromCharCode(name.startsWith('#x') ? parseInt(name.slice(2), 16) : Number(name.slice(1)));
}
