/** Whether an `Accept` header names HTML, and prefers no other text type: browsers do, tools do not. */
export function prefersHtml(accept: string | undefined): boolean {
  const weights = new Map((accept ?? '').slice(0, longestHeader).split(',').map(weightOf));
  const html = Math.max(weights.get('text/html') ?? 0, weights.get('application/xhtml+xml') ?? 0);
  const other = Math.max(weights.get('text/plain') ?? 0, weights.get('application/json') ?? 0);
  return html > 0 && html >= other;
}

const longestHeader = 1000;

/** A media range without its parameters, and its weight (RFC 9110 §12.5.1). */
function weightOf(range: string): [type: string, weight: number] {
  const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
  const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
  return [type, /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(quality) ? Number(quality) : 0];
}
